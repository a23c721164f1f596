//! Child processes of async-process.

use std::os::unix::process::ExitStatusExt;

use async_process::{Command, Stdio};
use smol::future;
use smol::io::{AsyncReadExt, AsyncWriteExt};

use crate::{Check, ensure};

pub(crate) fn exit_codes() -> Check {
    smol::block_on(async {
        let children: Vec<_> = (0..20)
            .map(|code| {
                smol::spawn(async move {
                    let status = Command::new("sh")
                        .arg("-c")
                        .arg(format!("exit {code}"))
                        .status()
                        .await?;
                    ensure(
                        status.code() == Some(code),
                        format!("{status} instead of {code}"),
                    )
                })
            })
            .collect();
        for child in children {
            child.await?;
        }
        let output = Command::new("echo").arg("hello").output().await?;
        ensure(output.stdout == b"hello\n", format!("{output:?}"))
    })
}

pub(crate) fn pipes() -> Check {
    smol::block_on(async {
        let mut child = Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut input = child.stdin.take().ok_or("no standard input")?;
        let mut output = child.stdout.take().ok_or("no standard output")?;

        // More than a pipe holds, so both sides have to wait.
        let sent: Vec<u8> = (0..1_000_000_u32)
            .map(|index| (index % 251) as u8)
            .collect();
        let write = async {
            input.write_all(&sent).await?;
            input.close().await?;
            drop(input);
            Ok(())
        };
        let mut received = Vec::new();
        future::try_zip(write, output.read_to_end(&mut received)).await?;
        ensure(
            received == sent,
            format!("cat returned {} bytes", received.len()),
        )?;
        let status = child.status().await?;
        ensure(status.success(), status.to_string())
    })
}

pub(crate) fn killed() -> Check {
    smol::block_on(async {
        let mut child = Command::new("sleep").arg("1000").spawn()?;
        ensure(
            child.try_status()?.is_none(),
            "the child ended before it was killed",
        )?;
        child.kill()?;
        let status = child.status().await?;
        ensure(status.signal() == Some(9), status.to_string())
    })
}
