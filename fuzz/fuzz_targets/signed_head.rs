//! `cargo xtask fuzz signed_head`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    waiaas_fuzz::texts::signed_head(data);
});
