//! `cargo fuzz run signed_head`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    waiaas_fuzz::run("signed_head", data);
});
