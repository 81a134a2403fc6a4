//! `cargo xtask fuzz abi_call`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    waiaas_fuzz::bodies::abi_call(data);
});
