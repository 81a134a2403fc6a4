//! `cargo fuzz run request_body`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    waiaas_fuzz::run("request_body", data);
});
