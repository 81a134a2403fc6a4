//! The only unsafe code of the signer: locked memory for secrets and the process's own settings, each wrapped
//! in a safe function. Never decides anything; `sandbox` says in which order, `vault` what is kept where.
#![expect(
    unsafe_code,
    reason = "mmap, memfd_secret, prctl and clearenv have no safe form"
)]

pub mod memory;
pub mod process;
