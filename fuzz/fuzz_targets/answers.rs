//! `cargo xtask fuzz answers`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    waiaas_fuzz::answers::answers(data);
});
