//! Auto traits, variance, drop glue.

use std::cell::{Cell, UnsafeCell};
use std::future::Future;
use std::io;
use std::marker::PhantomPinned;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::rc::Rc;
use std::sync::MutexGuard;
use std::time::Instant;

use async_io::reactor::{Builder, Entered, StillInUse, Turn};
use async_io::{Async, Reactor, Readable, ReadableOwned, Timer, Writable, WritableOwned};
use futures_lite::Stream;
use static_assertions::{assert_impl_all, assert_not_impl_any, const_assert};

/// `Send` and not `Sync`.
type NotSync = Cell<u8>;
/// `Sync` and not `Send`.
type NotSend = MutexGuard<'static, u8>;
/// Neither.
type Neither = Rc<u8>;
/// `UnwindSafe` and not `RefUnwindSafe`.
type NotRefUnwindSafe = UnsafeCell<u8>;

assert_impl_all!(Timer: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe);
assert_impl_all!(Timer: Future<Output = Instant>, Stream<Item = Instant>, std::fmt::Debug);

assert_impl_all!(Async<u8>: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe);
assert_impl_all!(Async<PhantomPinned>: Unpin);
assert_impl_all!(Async<NotSync>: Send);
assert_not_impl_any!(Async<NotSync>: Sync);
assert_impl_all!(Async<NotSend>: Sync);
assert_not_impl_any!(Async<NotSend>: Send);
assert_not_impl_any!(Async<Neither>: Send, Sync);
assert_impl_all!(Async<NotRefUnwindSafe>: UnwindSafe);
assert_not_impl_any!(Async<NotRefUnwindSafe>: RefUnwindSafe);
assert_not_impl_any!(Async<&'static NotRefUnwindSafe>: UnwindSafe);

assert_impl_all!(Reactor: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe);
assert_impl_all!(Reactor: Clone, Eq, std::hash::Hash, std::fmt::Debug);
assert_not_impl_any!(Reactor: Copy, Default, Drop);
assert_impl_all!(Builder: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Clone, std::fmt::Debug);
assert_impl_all!(Turn: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Copy, Eq, std::fmt::Debug);
assert_impl_all!(StillInUse: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, std::error::Error);
// A guard belongs to the thread that has entered.
assert_impl_all!(Entered<'static>: Unpin, UnwindSafe, RefUnwindSafe, std::fmt::Debug);
assert_not_impl_any!(Entered<'static>: Send, Sync, Clone);

/// The borrowed futures behave like `&T`: `Send` and `Sync` require `T: Sync`, and unwind safety
/// requires `T: RefUnwindSafe`.
macro_rules! like_a_reference {
    ($future:ident) => {
        assert_impl_all!($future<'static, u8>: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe);
        assert_impl_all!($future<'static, u8>: Future<Output = io::Result<()>>);
        assert_impl_all!($future<'static, PhantomPinned>: Unpin);
        assert_impl_all!($future<'static, NotSend>: Send, Sync);
        assert_not_impl_any!($future<'static, NotSync>: Send, Sync);
        assert_not_impl_any!($future<'static, Neither>: Send, Sync);
        assert_not_impl_any!($future<'static, NotRefUnwindSafe>: UnwindSafe, RefUnwindSafe);
    };
}
like_a_reference!(Readable);
like_a_reference!(Writable);

/// The owned futures behave like `Arc<T>`: `Send` and `Sync` require both of `T`.
macro_rules! like_an_arc {
    ($future:ident) => {
        assert_impl_all!($future<u8>: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe);
        assert_impl_all!($future<u8>: Future<Output = io::Result<()>>);
        assert_impl_all!($future<PhantomPinned>: Unpin);
        assert_not_impl_any!($future<NotSend>: Send, Sync);
        assert_not_impl_any!($future<NotSync>: Send, Sync);
        assert_not_impl_any!($future<Neither>: Send, Sync);
        assert_not_impl_any!($future<NotRefUnwindSafe>: UnwindSafe, RefUnwindSafe);
    };
}
like_an_arc!(ReadableOwned);
like_an_arc!(WritableOwned);

/// The same for every `T` with exactly these bounds, not only for the samples above.
mod for_all {
    use super::*;

    fn send<T: Send>() {}
    fn sync<T: Sync>() {}
    fn unpin<T: Unpin>() {}
    fn unwind_safe<T: UnwindSafe>() {}
    fn ref_unwind_safe<T: RefUnwindSafe>() {}

    fn _unpin<'a, T: 'a>() {
        unpin::<Async<T>>();
        unpin::<Readable<'a, T>>();
        unpin::<Writable<'a, T>>();
        unpin::<ReadableOwned<T>>();
        unpin::<WritableOwned<T>>();
    }

    fn _send<T: Send>() {
        send::<Async<T>>();
    }

    fn _sync<'a, T: Sync + 'a>() {
        sync::<Async<T>>();
        send::<Readable<'a, T>>();
        sync::<Readable<'a, T>>();
        send::<Writable<'a, T>>();
        sync::<Writable<'a, T>>();
    }

    fn _both<T: Send + Sync>() {
        send::<ReadableOwned<T>>();
        sync::<ReadableOwned<T>>();
        send::<WritableOwned<T>>();
        sync::<WritableOwned<T>>();
    }

    fn _unwind_safe<T: UnwindSafe>() {
        unwind_safe::<Async<T>>();
    }

    fn _ref_unwind_safe<'a, T: RefUnwindSafe + 'a>() {
        ref_unwind_safe::<Async<T>>();
        unwind_safe::<Readable<'a, T>>();
        ref_unwind_safe::<Readable<'a, T>>();
        unwind_safe::<Writable<'a, T>>();
        ref_unwind_safe::<Writable<'a, T>>();
        unwind_safe::<ReadableOwned<T>>();
        ref_unwind_safe::<ReadableOwned<T>>();
        unwind_safe::<WritableOwned<T>>();
        ref_unwind_safe::<WritableOwned<T>>();
    }
}

/// A value with a longer lifetime can be used where a shorter one is expected.
mod covariance {
    use super::*;

    fn _source<'short, 'long: 'short>(x: Async<&'long u8>) -> Async<&'short u8> {
        x
    }

    fn _readable<'short, 'long: 'short>(
        x: Readable<'long, &'long u8>,
    ) -> Readable<'short, &'short u8> {
        x
    }

    fn _writable<'short, 'long: 'short>(
        x: Writable<'long, &'long u8>,
    ) -> Writable<'short, &'short u8> {
        x
    }

    fn _readable_owned<'short, 'long: 'short>(
        x: ReadableOwned<&'long u8>,
    ) -> ReadableOwned<&'short u8> {
        x
    }

    fn _writable_owned<'short, 'long: 'short>(
        x: WritableOwned<&'long u8>,
    ) -> WritableOwned<&'short u8> {
        x
    }
}

// Both types implement `Drop` themselves, whatever they contain.
const_assert!(std::mem::needs_drop::<Async<&'static u8>>());
const_assert!(std::mem::needs_drop::<Timer>());
