//! The owner's side as owners, agents and thieves meet it, over a scripted signer and chain.

mod access;
mod login;
mod reading;
mod waiting;
