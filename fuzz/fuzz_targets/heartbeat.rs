//! `cargo xtask fuzz heartbeat`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    waiaas_fuzz::texts::heartbeat(data);
});
