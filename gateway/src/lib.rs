//! The process that faces the world: HTTP, sessions, early checks, building transactions, chain RPC.
//! Holds no key and no password; whatever it could get wrong, the signer judges again.
#![forbid(unsafe_code)]

pub mod app;
pub mod chain;
pub mod chain_port;
pub mod chain_terms;
pub mod clock;
pub mod config;
pub mod database;
pub mod http;
pub mod incoming;
pub mod notify;
pub mod payment;
pub mod pipeline;
pub mod projection;
pub mod signer_client;
pub mod start;
pub mod views;

#[cfg(test)]
mod testing;
