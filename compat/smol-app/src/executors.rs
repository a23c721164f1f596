//! Executors in several arrangements. Each uses sockets and timers, so the right thread must drive
//! the reactor.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use async_net::TcpListener;
use async_net::TcpStream;
use async_net::unix::UnixStream;
use smol::channel;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::{Executor, LocalExecutor, Timer};

use crate::{Check, ensure};

/// Sends numbers through a socket pair, with pauses in between, and returns the sum of the received
/// numbers.
async fn numbers_through_a_pair(count: u32) -> std::io::Result<u64> {
    let (mut one, mut other) = UnixStream::pair()?;
    let send = async {
        for number in 0..count {
            one.write_all(&number.to_le_bytes()).await?;
            if number % 32 == 0 {
                Timer::after(Duration::from_micros(200)).await;
            }
        }
        drop(one);
        std::io::Result::Ok(())
    };
    let receive = async {
        let (mut sum, mut bytes) = (0, [0; 4]);
        for _ in 0..count {
            other.read_exact(&mut bytes).await?;
            sum += u64::from(u32::from_le_bytes(bytes));
        }
        std::io::Result::Ok(sum)
    };
    let ((), sum) = smol::future::try_zip(send, receive).await?;
    Ok(sum)
}

pub(crate) fn threads() -> Check {
    let executor = Arc::new(Executor::new());
    let (stop, stopped) = channel::bounded::<()>(1);
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (executor, stopped) = (executor.clone(), stopped.clone());
            thread::spawn(move || smol::block_on(executor.run(stopped.recv())))
        })
        .collect();

    let tasks: Vec<_> = (0..40)
        .map(|_| executor.spawn(numbers_through_a_pair(300)))
        .collect();
    let checked = smol::block_on(async {
        for task in tasks {
            ensure(task.await? == 300 * 299 / 2, "a wrong sum")?;
        }
        Ok(())
    });
    drop(stop);
    for thread in threads {
        // The channel is closed, which stops the executor.
        let ended = thread
            .join()
            .map_err(|_| "a thread of the executor panicked")?;
        ensure(ended.is_err(), "the executor stopped by itself")?;
    }
    checked
}

pub(crate) fn local() -> Check {
    let (to_client, address) = channel::bounded(1);
    let server = thread::spawn(move || {
        let executor = LocalExecutor::new();
        smol::block_on(executor.run(async {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            to_client.send(listener.local_addr()?).await?;
            let mut sessions = Vec::new();
            for _ in 0..8 {
                let (mut stream, _) = listener.accept().await?;
                sessions.push(executor.spawn(async move {
                    let mut question = [0; 8];
                    for _ in 0..100 {
                        stream.read_exact(&mut question).await?;
                        let answer = u64::from_le_bytes(question) + 1;
                        stream.write_all(&answer.to_le_bytes()).await?;
                    }
                    std::io::Result::Ok(())
                }));
            }
            for session in sessions {
                session.await?;
            }
            Check::Ok(())
        }))
    });

    let executor = LocalExecutor::new();
    smol::block_on(executor.run(async {
        let address = address.recv().await?;
        let clients: Vec<_> = (0..8_u64)
            .map(|client| {
                executor.spawn(async move {
                    let mut stream = TcpStream::connect(address).await?;
                    let mut answer = [0; 8];
                    for number in 0..100 {
                        let question = client * 1000 + number;
                        stream.write_all(&question.to_le_bytes()).await?;
                        stream.read_exact(&mut answer).await?;
                        ensure(u64::from_le_bytes(answer) == question + 1, "a wrong answer")?;
                    }
                    Check::Ok(())
                })
            })
            .collect();
        for client in clients {
            client.await?;
        }
        Check::Ok(())
    }))?;
    server.join().map_err(|_| "the server panicked")?
}

pub(crate) fn global() -> Check {
    smol::block_on(async {
        let (mut silent, mut other) = UnixStream::pair()?;
        let waits = smol::spawn(async move { silent.read(&mut [0; 1]).await });
        Timer::after(Duration::from_millis(10)).await;
        ensure(
            waits.cancel().await.is_none(),
            "a read without data has ended",
        )?;
        // Cancelling the task has dropped its socket.
        ensure(
            other.read(&mut [0; 1]).await? == 0,
            "the socket of a cancelled task is still open",
        )?;
        ensure(
            smol::spawn(numbers_through_a_pair(100)).await? == 100 * 99 / 2,
            "a wrong sum",
        )
    })
}

pub(crate) fn foreign() -> Check {
    smol::future::block_on(async {
        let start = Instant::now();
        Timer::after(Duration::from_millis(20)).await;
        ensure(
            start.elapsed() >= Duration::from_millis(20),
            "the timer was early",
        )?;
        ensure(
            numbers_through_a_pair(200).await? == 200 * 199 / 2,
            "a wrong sum",
        )
    })
}
