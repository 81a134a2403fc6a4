//! `cargo fuzz run policy_toml`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    waiaas_fuzz::run("policy_toml", data);
});
