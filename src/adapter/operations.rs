//! Operations that are given as closures: `read_with` and its variants.

use super::Async;
use super::registration::ListedWaiter;
use super::would_block::WouldBlock;
use crate::core::source::Direction;
use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};

impl<T> Async<T> {
    /// Runs a reading operation, and waits and repeats it while it would block.
    ///
    /// The first poll calls the closure. If the closure returns an error of kind
    /// [`WouldBlock`](io::ErrorKind::WouldBlock), the task waits until the object may be readable,
    /// and the closure is called again. Any other result is returned, including the error
    /// [`Interrupted`](io::ErrorKind::Interrupted).
    ///
    /// The closure should make one operation, and should return `WouldBlock` only if *this* object
    /// cannot be read. If it returns `WouldBlock` again and again although the object is readable,
    /// it is called with pauses in between, which grow to 10 ms. A poll during a pause does not
    /// call it.
    ///
    /// # Errors
    ///
    /// Returns the errors of the closure, and those of [`readable`](Async::readable).
    ///
    /// # Cancellation
    ///
    /// If the future is dropped while it waits, nothing is lost, because the latest call of the
    /// closure returned `WouldBlock`.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Async;
    /// use std::net::UdpSocket;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// async_io::block_on(async {
    ///     let socket = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0))?;
    ///     socket.get_ref().send_to(b"hi", socket.get_ref().local_addr()?)?;
    ///     let mut buffer = [0; 16];
    ///     let (count, _sender) = socket.read_with(|socket| socket.recv_from(&mut buffer)).await?;
    ///     assert_eq!(&buffer[..count], b"hi");
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub async fn read_with<R>(&self, op: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        self.operate(Direction::Read, WouldBlock::Inconclusive, op)
            .await
    }

    /// Runs a reading operation that needs a mutable reference, and waits and repeats it while it
    /// would block.
    ///
    /// Otherwise this is like [`read_with`](Async::read_with).
    ///
    /// # Safety
    ///
    /// The closure must not drop or replace the object: its descriptor is registered with the
    /// reactor.
    ///
    /// # Errors
    ///
    /// Returns the errors of the closure, and those of [`readable`](Async::readable).
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Async;
    /// use std::io::Read;
    /// use std::net::{TcpListener, TcpStream};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// async_io::block_on(async {
    ///     let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
    ///     let mut stream = Async::<TcpStream>::connect(listener.get_ref().local_addr()?).await?;
    ///     drop(listener.accept().await?);
    ///     // SAFETY: the closure neither drops nor replaces the stream.
    ///     let count = unsafe { stream.read_with_mut(|stream| stream.read(&mut [0; 16])).await? };
    ///     assert_eq!(count, 0);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[allow(unsafe_code)]
    pub async unsafe fn read_with_mut<R>(
        &mut self,
        op: impl FnMut(&mut T) -> io::Result<R>,
    ) -> io::Result<R> {
        self.operate_mut(Direction::Read, op).await
    }

    /// Runs a writing operation, and waits and repeats it while it would block.
    ///
    /// This is like [`read_with`](Async::read_with) for the other direction: the closure should
    /// return [`WouldBlock`](io::ErrorKind::WouldBlock) only if *this* object cannot be written.
    ///
    /// # Errors
    ///
    /// Returns the errors of the closure, and those of [`writable`](Async::writable).
    ///
    /// # Cancellation
    ///
    /// If the future is dropped while it waits, nothing was written, because the latest call of the
    /// closure returned `WouldBlock`.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Async;
    /// use std::net::UdpSocket;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// async_io::block_on(async {
    ///     let socket = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0))?;
    ///     let address = socket.get_ref().local_addr()?;
    ///     let count = socket.write_with(|socket| socket.send_to(b"hi", address)).await?;
    ///     assert_eq!(count, 2);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub async fn write_with<R>(&self, op: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        self.operate(Direction::Write, WouldBlock::Inconclusive, op)
            .await
    }

    /// Runs a writing operation that needs a mutable reference, and waits and repeats it while it
    /// would block.
    ///
    /// Otherwise this is like [`write_with`](Async::write_with).
    ///
    /// # Safety
    ///
    /// The closure must not drop or replace the object: its descriptor is registered with the
    /// reactor.
    ///
    /// # Errors
    ///
    /// Returns the errors of the closure, and those of [`writable`](Async::writable).
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Async;
    /// use std::io::Write;
    /// use std::net::{TcpListener, TcpStream};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// async_io::block_on(async {
    ///     let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
    ///     let mut stream = Async::<TcpStream>::connect(listener.get_ref().local_addr()?).await?;
    ///     // SAFETY: the closure neither drops nor replaces the stream.
    ///     let count = unsafe { stream.write_with_mut(|stream| stream.write(b"hi")).await? };
    ///     assert_eq!(count, 2);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[allow(unsafe_code)]
    pub async unsafe fn write_with_mut<R>(
        &mut self,
        op: impl FnMut(&mut T) -> io::Result<R>,
    ) -> io::Result<R> {
        self.operate_mut(Direction::Write, op).await
    }

    /// Polls a reading operation, for futures and transports that are written by hand.
    ///
    /// Each poll calls the closure at least once. If it returns an error of kind
    /// [`WouldBlock`](io::ErrorKind::WouldBlock), the task is woken when the object may be readable,
    /// and the poll returns [`Poll::Pending`]. Any other result is returned. If an event has arrived
    /// meanwhile, the closure is called again in the same poll.
    ///
    /// This method, [`poll_readable`](Async::poll_readable) and `AsyncRead` share one waker: a poll by
    /// another task replaces the waker and wakes the earlier task. Several tasks at once should use
    /// [`read_with`](Async::read_with).
    ///
    /// The closure may return `WouldBlock` for a reason of its own, although the object is readable.
    /// If it does so again and again, the task is woken with pauses in between, which grow to 10 ms.
    ///
    /// # Errors
    ///
    /// Returns the errors of the closure, and those of [`readable`](Async::readable). An error does
    /// not end anything: the next poll calls the closure again.
    ///
    /// # Cancellation
    ///
    /// As for [`poll_readable`](Async::poll_readable): a task that no longer wants to wait need not do
    /// anything.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Async;
    /// use std::future::poll_fn;
    /// use std::net::UdpSocket;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// async_io::block_on(async {
    ///     let socket = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0))?;
    ///     socket.get_ref().send_to(b"hi", socket.get_ref().local_addr()?)?;
    ///     let mut buffer = [0; 16];
    ///     let receive = poll_fn(|cx| socket.poll_read_with(cx, |socket| socket.recv(&mut buffer)));
    ///     assert_eq!(receive.await?, 2);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn poll_read_with<R>(
        &self,
        cx: &mut Context<'_>,
        op: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.poll_with(Direction::Read, cx, op)
    }

    /// Polls a writing operation, for futures and transports that are written by hand.
    ///
    /// This is like [`poll_read_with`](Async::poll_read_with) for the other direction. It shares the
    /// waker with [`poll_writable`](Async::poll_writable).
    ///
    /// # Errors
    ///
    /// Returns the errors of the closure, and those of [`writable`](Async::writable).
    ///
    /// # Cancellation
    ///
    /// As for [`poll_read_with`](Async::poll_read_with).
    ///
    /// # Examples
    ///
    /// ```
    /// use async_io::Async;
    /// use std::future::poll_fn;
    /// use std::net::UdpSocket;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// async_io::block_on(async {
    ///     let socket = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0))?;
    ///     let address = socket.get_ref().local_addr()?;
    ///     let send = poll_fn(|cx| socket.poll_write_with(cx, |socket| socket.send_to(b"hi", address)));
    ///     assert_eq!(send.await?, 2);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn poll_write_with<R>(
        &self,
        cx: &mut Context<'_>,
        op: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.poll_with(Direction::Write, cx, op)
    }

    fn poll_with<R>(
        &self,
        direction: Direction,
        cx: &mut Context<'_>,
        mut op: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        let op = || op(&self.io);
        let registration = self.registration();
        registration.poll_shared(direction, WouldBlock::Inconclusive, cx, op)
    }

    /// Runs an operation of this crate or of a closure.
    #[inline]
    pub(super) async fn operate<R>(
        &self,
        direction: Direction,
        would_block: WouldBlock,
        mut op: impl FnMut(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        let registration = self.registration();
        let mut waiter = ListedWaiter::new();
        poll_fn(move |cx| {
            let op = || op(&self.io);
            registration.poll_listed(direction, would_block, &mut waiter, cx, op)
        })
        .await
    }

    async fn operate_mut<R>(
        &mut self,
        direction: Direction,
        mut op: impl FnMut(&mut T) -> io::Result<R>,
    ) -> io::Result<R> {
        let (registration, io) = (&self.registration, &mut *self.io);
        let mut waiter = ListedWaiter::new();
        poll_fn(move |cx| {
            let op = || op(io);
            registration.poll_listed(direction, WouldBlock::Inconclusive, &mut waiter, cx, op)
        })
        .await
    }
}
