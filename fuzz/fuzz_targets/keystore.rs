//! `cargo xtask fuzz keystore`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    waiaas_fuzz::keystore::keystore(data);
});
