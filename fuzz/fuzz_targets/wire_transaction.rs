//! `cargo xtask fuzz wire_transaction`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    waiaas_fuzz::chains::wire(data);
});
