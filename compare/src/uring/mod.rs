//! Echo servers on the io_uring runtimes, with one task per connection. Each operation owns its
//! buffer while the kernel uses it.

pub(crate) mod compio_echo;
pub(crate) mod monoio_echo;
