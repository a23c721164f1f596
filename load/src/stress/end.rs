//! One end of a connection, which waits for a byte in one of many ways.

use std::future::poll_fn;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use async_io::{Async, Reactor, Timer};
use fastrand::Rng;
use futures_lite::{AsyncReadExt, FutureExt, future};

use super::woken;
use crate::watchdog;

/// How a byte is read.
#[derive(Clone, Copy, Debug)]
enum Style {
    AsyncRead,
    ReadWith,
    Readable,
    ReadableOwned,
    PollReadable,
}

const STYLES: [Style; 5] = [
    Style::AsyncRead,
    Style::ReadWith,
    Style::Readable,
    Style::ReadableOwned,
    Style::PollReadable,
];

/// What an end does besides reading and writing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Habits {
    /// The source is registered again before one message in this many, or never if this is 0.
    pub(crate) renew_one_in: u8,
    /// The source is moved to another reactor before one message in this many, or never if this is 0.
    pub(crate) rebind_one_in: u8,
    /// A wait is cancelled and repeated before one message in this many, or never if this is 0.
    pub(crate) give_up_one_in: u8,
}

pub(crate) struct End {
    source: Option<Arc<Async<UnixStream>>>,
    style: Style,
    habits: Habits,
    /// The reactors that the source moves between.
    reactors: Vec<Reactor>,
    rng: Rng,
}

impl End {
    pub(crate) fn pair(
        rng: &mut Rng,
        habits: Habits,
        reactors: &[Reactor],
    ) -> io::Result<(End, End)> {
        let (one, two) = UnixStream::pair()?;
        let mut end = |stream| End::new(stream, rng, habits, reactors);
        Ok((end(one)?, end(two)?))
    }

    fn new(
        stream: UnixStream,
        rng: &mut Rng,
        habits: Habits,
        reactors: &[Reactor],
    ) -> io::Result<End> {
        let _entered = rng.choice(reactors).map(Reactor::enter);
        Ok(End {
            source: Some(watched(stream)?),
            style: STYLES[rng.usize(..STYLES.len())],
            habits,
            reactors: reactors.to_vec(),
            rng: rng.fork(),
        })
    }

    /// Returns the next byte, or an error at the end of the stream.
    pub(crate) async fn receive(&mut self) -> io::Result<u8> {
        if chance(&mut self.rng, self.habits.renew_one_in) {
            self.renew()?;
        }
        if chance(&mut self.rng, self.habits.rebind_one_in) {
            self.rebind()?;
        }
        let source = self.source.clone().ok_or(ErrorKind::NotConnected)?;
        while chance(&mut self.rng, self.habits.give_up_one_in) {
            let byte = Box::pin(read(&source, self.style));
            let given_up = if self.rng.bool() {
                let pause = Duration::from_nanos(self.rng.u64(..40_000));
                byte.or(async {
                    woken(Timer::after(pause)).await;
                    Err(ErrorKind::TimedOut.into())
                })
                .await
            } else {
                future::poll_once(byte)
                    .await
                    .unwrap_or(Err(ErrorKind::TimedOut.into()))
            };
            match given_up {
                Err(error) if error.kind() == ErrorKind::TimedOut => {}
                result => return result,
            }
        }
        woken(read(&source, self.style)).await
    }

    /// Sends a byte. There is always room for it, because each byte is answered before the next one
    /// is sent.
    pub(crate) fn send(&self, byte: u8) -> io::Result<()> {
        let source = self.source.as_ref().ok_or(ErrorKind::NotConnected)?;
        (&mut source.get_ref()).write_all(&[byte])
    }

    fn take_source(&mut self) -> io::Result<Async<UnixStream>> {
        let source = self.source.take().and_then(Arc::into_inner);
        source.ok_or_else(|| io::Error::other("the source is still shared"))
    }

    fn rebind(&mut self) -> io::Result<()> {
        let mut source = self.take_source()?;
        if let Some(reactor) = self.rng.choice(&self.reactors) {
            source.rebind(reactor)?;
        }
        self.source = Some(share(source));
        Ok(())
    }

    fn renew(&mut self) -> io::Result<()> {
        let source = self.take_source()?;
        let stream = if self.rng.bool() {
            source.into_inner()?
        } else {
            // A copy shares the connection, but has its own descriptor and its own registration.
            let copy = source.get_ref().try_clone()?;
            drop(source);
            copy
        };
        self.source = Some(watched(stream)?);
        Ok(())
    }
}

pub(crate) fn watched(stream: UnixStream) -> io::Result<Arc<Async<UnixStream>>> {
    Ok(share(Async::new(stream)?))
}

fn share(source: Async<UnixStream>) -> Arc<Async<UnixStream>> {
    let source = Arc::new(source);
    let weak = Arc::downgrade(&source);
    watchdog::watch(weak);
    source
}

fn chance(rng: &mut Rng, one_in: u8) -> bool {
    one_in > 0 && rng.u8(..one_in) == 0
}

async fn read(source: &Arc<Async<UnixStream>>, style: Style) -> io::Result<u8> {
    let mut byte = [0];
    let mut try_now = || match source.get_ref().read(&mut byte) {
        Ok(0) => Some(Err(ErrorKind::UnexpectedEof.into())),
        Ok(_) => Some(Ok(byte[0])),
        Err(error) if error.kind() == ErrorKind::WouldBlock => None,
        Err(error) => Some(Err(error)),
    };
    match style {
        Style::AsyncRead => {
            let mut one = [0];
            (&mut &**source).read_exact(&mut one).await?;
            Ok(one[0])
        }
        Style::ReadWith => {
            let mut one = [0];
            match source.read_with(|mut stream| stream.read(&mut one)).await? {
                0 => Err(ErrorKind::UnexpectedEof.into()),
                _ => Ok(one[0]),
            }
        }
        Style::Readable => loop {
            source.readable().await?;
            if let Some(result) = try_now() {
                return result;
            }
        },
        Style::ReadableOwned => loop {
            source.clone().readable_owned().await?;
            if let Some(result) = try_now() {
                return result;
            }
        },
        Style::PollReadable => {
            poll_fn(|cx| {
                loop {
                    if let Some(result) = try_now() {
                        return Poll::Ready(result);
                    }
                    match source.poll_readable(cx) {
                        Poll::Ready(Ok(())) => {}
                        Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                        Poll::Pending => return Poll::Pending,
                    }
                }
            })
            .await
        }
    }
}
