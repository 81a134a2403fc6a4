//! `cargo fuzz run log_event`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    waiaas_fuzz::run("log_event", data);
});
