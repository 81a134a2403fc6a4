//! `cargo xtask fuzz request_body`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    waiaas_fuzz::texts::request_body(data);
});
