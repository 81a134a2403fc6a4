//! `cargo xtask fuzz log_event`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    waiaas_fuzz::documents::event(data);
});
