//! Each method over a real Unix socket, from the client library to a made-up authority and back.

mod methods;
mod owners;
mod rig;
mod secrets;
mod sockets;
