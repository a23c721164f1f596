//! The implementations that are compared.

use super::Outcome;

/// An implementation, or a variant of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Peer {
    /// This repository.
    Ours,
    /// This repository, with the fallback thread alive: one wait is pending in another executor.
    Foreign,
    /// This repository, with one `Executor` on all threads, which share the global reactor.
    Shared,
    /// async-io 2.6.0 as published.
    Upstream,
    /// The current-thread runtime of tokio.
    Tokio,
    /// The multi-thread runtime of tokio. The scenario sets the number of its threads.
    TokioMulti,
    /// monoio on io_uring, with the feature `uring`.
    Monoio,
    /// compio on io_uring, with the feature `uring`.
    Compio,
    /// A hand-written edge-triggered epoll loop without futures, as the lower limit of the cost.
    Raw,
    /// async-executor over a minimal epoll reactor, as the lower limit of a reactor below it.
    Floor,
}

impl Peer {
    /// The implementations that have an echo server on one thread.
    pub(crate) const ECHO: &'static [Peer] = &[
        Peer::Ours,
        Peer::Upstream,
        Peer::Tokio,
        Peer::Raw,
        #[cfg(feature = "uring")]
        Peer::Monoio,
        #[cfg(feature = "uring")]
        Peer::Compio,
    ];

    pub(crate) const ALL: [Peer; 10] = [
        Peer::Ours,
        Peer::Foreign,
        Peer::Shared,
        Peer::Upstream,
        Peer::Tokio,
        Peer::TokioMulti,
        Peer::Monoio,
        Peer::Compio,
        Peer::Raw,
        Peer::Floor,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Peer::Ours => "ours",
            Peer::Foreign => "ours+foreign",
            Peer::Shared => "ours+shared",
            Peer::Upstream => "async-io-2.6",
            Peer::Tokio => "tokio",
            Peer::TokioMulti => "tokio-multi",
            Peer::Monoio => "monoio",
            Peer::Compio => "compio",
            Peer::Raw => "raw",
            Peer::Floor => "executor+epoll",
        }
    }

    pub(crate) fn from_name(name: &str) -> Outcome<Peer> {
        let found = Peer::ALL.into_iter().find(|peer| peer.name() == name);
        found.ok_or_else(|| format!("no implementation is called {name}").into())
    }

    /// Returns the error of a scenario that has no program for this implementation.
    pub(crate) fn missing<T>(self) -> Outcome<T> {
        Err(format!("this scenario has no program for {}", self.name()).into())
    }
}
