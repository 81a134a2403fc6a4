//! Pure domain code shared by signer, gateway and command line: vocabulary, decoders, policy,
//! statements and the log format. It owns no socket, file, clock or randomness; everything it
//! needs to know comes in as an argument.
#![forbid(unsafe_code)]

pub mod address;
pub mod agent;
pub mod amount;
pub mod authorization;
pub mod caip;
pub mod claim;
pub mod codec;
pub mod denial;
pub mod digest;
pub mod duration;
pub mod effect;
pub mod event;
pub mod event_about;
pub mod event_words;
pub mod evm;
pub mod heartbeat;
pub mod ids;
pub mod intent;
pub mod keys;
pub mod log;
pub mod memo;
pub mod network;
pub mod owner_change;
pub mod policy;
#[cfg(test)]
pub(crate) mod published;
pub mod request;
pub mod request_signature;
pub mod session;
pub mod sign_in;
pub mod solana;
pub mod statement;
pub mod status;
pub mod time;
pub mod transaction;
pub mod view;
