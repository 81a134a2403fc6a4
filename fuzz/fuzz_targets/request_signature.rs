//! `cargo fuzz run request_signature`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    waiaas_fuzz::run("request_signature", data);
});
