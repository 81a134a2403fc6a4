//! `cargo fuzz run evm_transaction`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    waiaas_fuzz::run("evm_transaction", data);
});
