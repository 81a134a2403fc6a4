//! What the process-level tests share: a real signer in a home of its own, an owner and agents that
//! speak to it. The tests themselves stand in `tests/tests/`, one file a theme.
#![forbid(unsafe_code)]

pub mod agent;
pub mod books;
pub mod foreign;
pub mod log;
pub mod owner;
pub mod proxied;
pub mod proxy;
pub mod secrets;
pub mod setting;
pub mod signer;
pub mod stage;
pub mod token;
