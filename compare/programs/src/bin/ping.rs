//! A D-Bus client that pings the daemon at the given address, one call at a time or many at once.
//!
//! `ping ADDRESS one-by-one|at-once CALLS`

use futures_lite::future;
use programs::{Moment, Outcome, argument};
use zbus::connection::Builder;
use zbus::names::BusName;

/// The number of calls in flight with `at-once`.
const AT_ONCE: u64 = 32;

fn main() -> Outcome {
    let address: String = argument(1)?;
    let calls: u64 = argument(3)?;
    smol::block_on(async {
        let connection = Builder::address(address.as_str())?.build().await?;
        ping(&connection).await?;
        let start = Moment::now();
        match argument::<String>(2)?.as_str() {
            "one-by-one" => {
                for _ in 0..calls {
                    ping(&connection).await?;
                }
            }
            "at-once" => {
                let executor = smol::LocalExecutor::new();
                let one = async || {
                    for _ in 0..calls / AT_ONCE {
                        ping(&connection).await?;
                    }
                    Outcome::Ok(())
                };
                let tasks: Vec<_> = (0..AT_ONCE).map(|_| executor.spawn(one())).collect();
                executor
                    .run(async {
                        for task in tasks {
                            task.await?;
                        }
                        Outcome::Ok(())
                    })
                    .await?;
            }
            other => return Err(format!("{other:?} is neither one-by-one nor at-once").into()),
        }
        start.report(calls);
        future::yield_now().await;
        Ok(())
    })
}

async fn ping(connection: &zbus::Connection) -> Outcome {
    let bus = BusName::try_from("org.freedesktop.DBus")?;
    let peer = Some("org.freedesktop.DBus.Peer");
    let reply = connection
        .call_method(Some(bus), "/org/freedesktop/DBus", peer, "Ping", &())
        .await?;
    // The reply to a ping is empty.
    Ok(reply.body().deserialize::<()>()?)
}
