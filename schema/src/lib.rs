//! Cap'n Proto interfaces of the signer's two sockets. Generated code only (the `.capnp` files stand
//! beside `src/`); `tests/regenerate.rs` compares it with what the compiler gives. The limits that
//! both ends put on frames stand here, because they belong to the wire and not to either process.

/// The largest frame that either end sends or reads, in bytes.
pub const FRAME_LIMIT_BYTES: usize = 512 * 1024;
/// How much a reader may traverse in one message, in 8-byte words (the frame limit, four times over:
/// a message may be read more than once, never amplified).
pub const TRAVERSAL_LIMIT_WORDS: usize = 4 * FRAME_LIMIT_BYTES / 8;
/// How deep pointers may nest in one message.
pub const NESTING_LIMIT: i32 = 16;
/// Segments of one frame; honest peers send one or two.
pub const SEGMENT_LIMIT: u32 = 32;
/// Calls in flight on one connection; the next is answered `overloaded`.
pub const CALLS_IN_FLIGHT: usize = 256;
/// The largest agent request body and proposed transaction, in bytes each.
pub const BODY_LIMIT_BYTES: usize = 64 * 1024;
/// Version of both interfaces.
pub const INTERFACE_VERSION: u32 = 1;

/// The options with which both ends read messages.
#[must_use]
pub fn reader_options() -> capnp::message::ReaderOptions {
    let mut options = capnp::message::ReaderOptions::new();
    options.traversal_limit_in_words(Some(TRAVERSAL_LIMIT_WORDS));
    options.nesting_limit(NESTING_LIMIT);
    options
}

#[rustfmt::skip]
mod generated {
    pub mod types_capnp;
    pub mod common_capnp;
    pub mod gateway_capnp;
    pub mod admin_capnp;
}

pub use generated::{admin_capnp, common_capnp, gateway_capnp, types_capnp};
