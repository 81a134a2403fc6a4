//! `cargo xtask fuzz authorization_body`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    waiaas_fuzz::bodies::authorization_body(data);
});
