//! `cargo xtask fuzz evm_transaction`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    waiaas_fuzz::chains::evm(data);
});
