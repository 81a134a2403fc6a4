//! The surface as a client sees it, over a scripted signer and chain.

mod access;
mod authorizations;
mod batch;
mod bodies;
mod brought;
mod cancel;
mod commitment;
mod fees;
mod guard;
mod history;
mod looks;
mod messages;
mod payments;
mod policy;
mod replaces;
mod sessions;
mod sign;
mod sockets;
mod waiting;
