#![no_main]

libfuzzer_sys::fuzz_target!(|script: &[u8]| async_io::testing::naive::reactor_on_one_shots(script));
