//! `cargo xtask fuzz frame_table`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    waiaas_fuzz::wire::frame_table(data);
});
