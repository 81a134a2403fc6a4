//! The owner-signed policy: its document, the windows it counts in, and the judgement of a payment.
//! Pure; the gateway's early check and the signer's final one are this same code.

pub mod diff;
pub mod document;
pub mod evaluate;
#[cfg(feature = "toml")]
pub mod toml_form;
pub mod windows;
