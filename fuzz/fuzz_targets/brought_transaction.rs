//! `cargo xtask fuzz brought_transaction`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    waiaas_fuzz::brought::brought(data);
});
