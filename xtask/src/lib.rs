//! What the project's own commands and its process-level tests share: real local chains, the tools they need,
//! the product's programs, and child processes that never outlive their starter.
//! Never part of what is shipped: nothing but `tests` and the `xtask` program depends on this crate.
#![forbid(unsafe_code)]

pub mod agent;
pub mod cache;
pub mod chains;
pub mod home;
pub mod http;
pub mod interrupt;
pub mod process;
pub mod product;
pub mod progress;
pub mod rpc;
pub mod tools;
pub mod workspace;
