//! Echo servers of the runtimes on io_uring, one task per connection. They own their buffers while the kernel has them.

pub(crate) mod compio_echo;
pub(crate) mod monoio_echo;
