//! `cargo fuzz run policy_canonical`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    waiaas_fuzz::run("policy_canonical", data);
});
