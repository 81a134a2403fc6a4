//! The owner-signed policy: its document, the windows it counts in, and the judgement of a payment.
//! Pure; the gateway's early check and the signer's final one are this same code.

pub mod alarm;
mod authorization;
pub mod call;
mod check;
pub mod diff;
pub mod document;
pub mod evaluate;
mod flaw;
pub mod history;
pub mod items;
pub mod limits;
pub mod names;
pub mod network;
mod program;
pub mod replay;
mod rule;
pub mod scope;
pub mod sign_in;
mod table;
mod token;
#[cfg(feature = "toml")]
pub mod toml_form;
mod validator;
pub mod windows;
pub mod words;
