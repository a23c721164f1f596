//! Registered sources: the costs of registration, events among many sources, and events that no
//! task awaits.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io::{self, Write};
use std::os::unix::net::UnixStream as Blocking;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::{UdpSocket, UnixStream};
use tokio::task::spawn_local;

use super::{run_local, runtime};
use crate::harness::usage::{Moment, Spent};
use crate::work::shuffle;
use crate::work::warm_up::warm_up;

/// Registers and deregisters a TCP stream repeatedly, without closing it.
pub(crate) fn register(mut stream: std::net::TcpStream, count: u64) -> io::Result<Spent> {
    runtime()?.block_on(async {
        for _ in 0..warm_up(count) {
            stream = tokio::net::TcpStream::from_std(stream)?.into_std()?;
        }
        let start = Moment::now();
        for _ in 0..count {
            stream = tokio::net::TcpStream::from_std(stream)?.into_std()?;
        }
        Ok(start.spent())
    })
}

/// Handles batches of ten events, at sources chosen at random. A task waits for each source.
pub(crate) fn events(sources: u64, batches: u64) -> io::Result<Spent> {
    run_local(async {
        let left = Rc::new(Cell::new(0_u32));
        let waker = Rc::new(RefCell::new(None::<Waker>));
        let mut writers = Vec::new();
        for _ in 0..sources {
            let (writer, reader) = Blocking::pair()?;
            writers.push(writer);
            reader.set_nonblocking(true)?;
            let mut reader = UnixStream::from_std(reader)?;
            let (left, waker) = (left.clone(), waker.clone());
            spawn_local(async move {
                while reader.read(&mut [0; 64]).await? > 0 {
                    left.set(left.get() - 1);
                    if left.get() == 0 {
                        let main = waker.borrow_mut().take();
                        main.into_iter().for_each(Waker::wake);
                    }
                }
                io::Result::Ok(())
            });
        }
        let order = shuffle::order(sources);
        let mut next = order.iter().cycle();
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
    })?
}

/// Receives from the socket once and never again, while this thread waits until `end` is closed.
/// Calls `is_set_up` before that wait.
pub(crate) fn flooded(
    socket: std::net::UdpSocket,
    end: Blocking,
    is_set_up: &dyn Fn(),
) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    end.set_nonblocking(true)?;
    runtime()?.block_on(async {
        let socket = UdpSocket::from_std(socket)?;
        let mut end = UnixStream::from_std(end)?;
        socket.recv(&mut [0; 64]).await?;
        tokio::time::sleep(Duration::from_millis(10)).await;
        is_set_up();
        end.read(&mut [0; 64]).await.map(drop)
    })
}
