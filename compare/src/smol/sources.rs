//! Registered sources: the costs of registration, memory, events among many sources, and events
//! that no task awaits.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io::{self, Write};
use std::net::{TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use async_executor::LocalExecutor;
use futures_lite::AsyncReadExt;

use super::async_io::{Async, block_on};
use crate::harness::usage::{Moment, Spent};
use crate::work::shuffle;
use crate::work::warm_up::warm_up;

/// Registers and deregisters a TCP stream repeatedly, without closing it.
pub(crate) fn register(mut stream: TcpStream, count: u64) -> io::Result<Spent> {
    for _ in 0..warm_up(count) {
        stream = Async::new_nonblocking(stream)?.into_inner()?;
    }
    let start = Moment::now();
    for _ in 0..count {
        stream = Async::new_nonblocking(stream)?.into_inner()?;
    }
    Ok(start.spent())
}

/// Registers the streams, and returns what that used.
pub(crate) fn hold(streams: Vec<UnixStream>) -> io::Result<Spent> {
    let mut held = Vec::with_capacity(streams.len());
    let start = Moment::now();
    let mut streams = streams.into_iter();
    for stream in &mut streams {
        held.push(Async::new_nonblocking(stream)?);
    }
    let spent = start.spent();
    drop(held);
    Ok(spent)
}

/// Handles batches of ten events, at sources chosen at random. A task waits for each source.
pub(crate) fn events(sources: u64, batches: u64) -> io::Result<Spent> {
    let executor = LocalExecutor::new();
    let left = Rc::new(Cell::new(0_u32));
    let waker = Rc::new(RefCell::new(None::<Waker>));
    let mut writers = Vec::new();
    for _ in 0..sources {
        let (writer, reader) = UnixStream::pair()?;
        writers.push(writer);
        let mut reader = Async::new(reader)?;
        let (left, waker) = (left.clone(), waker.clone());
        let task = executor.spawn(async move {
            while reader.read(&mut [0; 64]).await? > 0 {
                left.set(left.get() - 1);
                if left.get() == 0 {
                    let main = waker.borrow_mut().take();
                    main.into_iter().for_each(Waker::wake);
                }
            }
            io::Result::Ok(())
        });
        task.detach();
    }
    let order = shuffle::order(sources);
    let mut next = order.iter().cycle();
    block_on(executor.run(async {
        let warm_up = warm_up(batches);
        let mut start = Moment::now();
        for batch in 0..warm_up + batches {
            if batch == warm_up {
                start = Moment::now();
            }
            left.set(10);
            for &index in next.by_ref().take(10) {
                (&writers[index]).write_all(&[1])?;
            }
            poll_fn(|context| {
                if left.get() == 0 {
                    return Poll::Ready(());
                }
                *waker.borrow_mut() = Some(context.waker().clone());
                Poll::Pending
            })
            .await;
        }
        Ok(start.spent())
    }))
}

/// Receives from the socket once and never again, while this thread waits until `end` is closed.
/// Calls `is_set_up` before that wait.
pub(crate) fn flooded(socket: UdpSocket, end: UnixStream, is_set_up: &dyn Fn()) -> io::Result<()> {
    let socket = Async::new(socket)?;
    let mut end = Async::new(end)?;
    block_on(async {
        socket.recv(&mut [0; 64]).await?;
        super::async_io::Timer::after(Duration::from_millis(10)).await;
        is_set_up();
        end.read(&mut [0; 64]).await.map(drop)
    })
}
