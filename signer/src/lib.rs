//! The sealed process: keys, ledger, policy decisions. Never opens a network socket.

pub mod authority;
pub mod config;
pub mod core;
pub mod ledger;
#[cfg(test)]
mod model;
pub mod rpc;
pub mod sandbox;
pub mod sys;
pub mod vault;
