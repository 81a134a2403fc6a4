//! `cargo xtask fuzz statement`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    waiaas_fuzz::documents::statement(data);
});
