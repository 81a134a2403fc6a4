//! `cargo xtask fuzz sign_in_body`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    waiaas_fuzz::bodies::sign_in_body(data);
});
