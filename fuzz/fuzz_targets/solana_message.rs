//! `cargo xtask fuzz solana_message`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    waiaas_fuzz::chains::solana(data);
});
