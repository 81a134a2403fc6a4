//! `cargo xtask fuzz frames`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    waiaas_fuzz::wire::frames(data);
});
