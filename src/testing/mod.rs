//! Models of the pure modules: naive ones, loom ones, and pollers that follow a script.

#[cfg(all(test, not(async_io_loom)))]
mod fake_kernel;
#[cfg(all(test, not(async_io_loom)))]
mod fake_kernel_tests;
#[cfg(all(async_io_loom, test))]
mod models;
#[cfg(all(any(test, async_io_fuzzing), unix, not(async_io_loom)))]
pub mod naive;
