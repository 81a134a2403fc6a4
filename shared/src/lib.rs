//! Pure domain code shared by signer, gateway and command line: vocabulary, decoders, policy,
//! statements and the log format. It owns no socket, file, clock or randomness; everything it
//! needs to know comes in as an argument.
#![forbid(unsafe_code)]

pub mod address;
pub mod amount;
pub mod caip;
pub mod codec;
pub mod digest;
pub mod effect;
pub mod ids;
pub mod keys;
pub mod time;
