//! `cargo xtask fuzz policy_toml`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    waiaas_fuzz::documents::policy_toml(data);
});
