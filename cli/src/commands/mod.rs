//! One file per command. Each owns its arguments, speaks with signer or gateway through the modules
//! above, and answers in words and in JSON.

pub(crate) mod agent;
pub(crate) mod audit;
pub(crate) mod credit;
pub(crate) mod guardian;
pub(crate) mod init;
pub(crate) mod kill;
pub(crate) mod lock;
pub(crate) mod message;
pub(crate) mod owner;
mod owner_change;
pub(crate) mod pause;
pub(crate) mod payment;
pub(crate) mod policy;
pub(crate) mod release;
mod replay;
pub(crate) mod resend;
pub(crate) mod retire;
pub(crate) mod session;
pub(crate) mod session_bounds;
pub(crate) mod session_words;
pub(crate) mod start;
pub(crate) mod statement;
pub(crate) mod status;
pub(crate) mod stop;
pub(crate) mod tx;
pub(crate) mod unlock;
pub(crate) mod wallet;
pub(crate) mod withdraw;
