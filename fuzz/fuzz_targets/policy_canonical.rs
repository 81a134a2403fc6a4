//! `cargo xtask fuzz policy_canonical`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    waiaas_fuzz::documents::policy_canonical(data);
});
