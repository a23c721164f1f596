#![no_main]

libfuzzer_sys::fuzz_target!(|script: &[u8]| async_io::fuzz::reactor_on_edges(script));
