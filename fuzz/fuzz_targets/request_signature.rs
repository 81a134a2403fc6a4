//! `cargo xtask fuzz request_signature`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    waiaas_fuzz::texts::request_signature(data);
});
