//! Behaviour that is specific to Windows: waitable handles, conversions of sockets, and the
//! lifetime of handles.
#![cfg(windows)]
// Events can be created only with system functions.
#![allow(unsafe_code)]

mod support;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::windows::io::{
    AsHandle, AsRawHandle, AsRawSocket, FromRawHandle, OwnedHandle, OwnedSocket,
};
use std::process::{Child, Command};
use std::time::Duration;
use std::{mem, process, ptr, thread};

use async_io::os::windows::Waitable;
use async_io::{Async, Timer, block_on};
use futures_lite::future;
use support::*;
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, TH32CS_SNAPTHREAD, THREADENTRY32, Thread32First, Thread32Next,
};
use windows_sys::Win32::System::Threading::{CreateEventW, SetEvent};

#[derive(Clone, Copy, PartialEq)]
enum Reset {
    /// A successful wait resets the event.
    ByWait,
    Never,
}

fn event(reset: Reset) -> OwnedHandle {
    let manual = i32::from(reset == Reset::Never);
    // SAFETY: no attributes and no name; the result is checked, and this function is its only
    // owner.
    unsafe {
        let handle = CreateEventW(ptr::null(), manual, 0, ptr::null());
        assert!(!handle.is_null());
        OwnedHandle::from_raw_handle(handle)
    }
}

fn signal(event: &impl AsHandle) {
    let handle = event.as_handle().as_raw_handle();
    // SAFETY: the handle is borrowed and therefore open.
    assert_ne!(unsafe { SetEvent(handle) }, 0);
}

/// A signalled handle is ready for every wait, in `block_on` and in a foreign executor.
#[test]
fn a_signalled_handle_is_ready() {
    guarded(|| {
        for runner in Runner::BOTH {
            let waitable = Waitable::new(event(Reset::Never)).unwrap();
            let (counter, waker) = Counter::new();
            let mut early = waitable.ready();
            assert!(poll(&mut early, &waker).is_pending());
            signal(&waitable);
            counter.wait_for(1);
            assert!(poll(&mut early, &waker).is_ready());
            // It stays signalled.
            for _ in 0..3 {
                runner.block_on(waitable.ready()).unwrap();
            }
        }
    });
}

/// A wait resets an event of that kind, so that the next wait needs another signal.
#[test]
fn every_signal_ends_one_wait() {
    guarded(|| {
        let waitable = Waitable::new(event(Reset::ByWait)).unwrap();
        for _ in 0..50 {
            let mut waiter = waitable.ready();
            assert!(poll_now(&mut waiter).is_pending());
            signal(&waitable);
            foreign(waiter).unwrap();
        }
        let (counter, waker) = Counter::new();
        assert!(poll(&mut waitable.ready(), &waker).is_pending());
        settle();
        assert_eq!(counter.wakes(), 0);
    });
}

/// A signal that a cancelled wait received is kept for the next wait.
#[test]
fn a_signal_is_not_lost_to_a_cancelled_wait() {
    guarded(|| {
        let waitable = Waitable::new(event(Reset::ByWait)).unwrap();
        for _ in 0..20 {
            assert!(poll_now(waitable.ready()).is_pending());
            signal(&waitable);
            settle();
            foreign(waitable.ready()).unwrap();
        }
    });
}

/// `poll_ready` has a single shared waiter.
#[test]
fn poll_ready_wakes_the_last_task() {
    guarded(|| {
        let waitable = Waitable::new(event(Reset::Never)).unwrap();
        let ((first, first_waker), (last, last_waker)) = (Counter::new(), Counter::new());
        for waker in [&first_waker, &last_waker] {
            let mut cx = std::task::Context::from_waker(waker);
            assert!(waitable.poll_ready(&mut cx).is_pending());
        }
        // The first task was displaced and woken, so that it can poll again.
        first.wait_for(1);
        signal(&waitable);
        last.wait_for(1);
        foreign(future::poll_fn(|cx| waitable.poll_ready(cx))).unwrap();
    });
}

fn exits_with(code: u8) -> Child {
    let mut command = Command::new("cmd");
    command.args(["/C", "exit", &code.to_string()]);
    command.spawn().unwrap()
}

/// A child process can be awaited, and `into_inner` returns it.
#[test]
fn a_child_can_be_awaited() {
    guarded(|| {
        let waitable = Waitable::new(exits_with(3)).unwrap();
        block_on(waitable.ready()).unwrap();
        let status = waitable.into_inner().unwrap().wait().unwrap();
        assert_eq!(status.code(), Some(3));
    });
}

/// A handle can be registered only once. The accessors return it, and the conversions register and
/// deregister it.
#[test]
fn handles_are_registered_once_and_given_back() {
    guarded(|| {
        let handle = event(Reset::Never);
        let first = Waitable::new(&handle).unwrap();
        let error = Waitable::new(&handle).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
        assert_eq!(first.as_handle().as_raw_handle(), handle.as_raw_handle());
        drop(first);

        let number = handle.as_raw_handle();
        let waitable = Waitable::<OwnedHandle>::try_from(handle).unwrap();
        assert!(poll_now(waitable.ready()).is_pending());
        let handle = OwnedHandle::try_from(waitable).unwrap();
        assert_eq!(handle.as_raw_handle(), number);
        signal(&handle);
        foreign(Waitable::new(&handle).unwrap().ready()).unwrap();
    });
}

/// The conversions of sockets are equivalent to `new` and `into_inner`.
#[test]
fn sockets_convert() {
    guarded(|| {
        let (stream, mut peer) = pair();
        let number = stream.as_raw_socket();
        let source = Async::<TcpStream>::try_from(OwnedSocket::from(stream)).unwrap();
        assert_eq!(source.as_raw_socket(), number);
        peer.write_all(b"x").unwrap();
        foreign(source.readable()).unwrap();
        let socket = OwnedSocket::try_from(source).unwrap();
        assert_eq!(socket.as_raw_socket(), number);
        // The socket is still non-blocking.
        let mut stream = TcpStream::from(socket);
        stream.read_exact(&mut [0]).unwrap();
        let error = stream.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    });
}

/// A connection that the peer resets while no task waits keeps no thread busy. Other waits
/// continue, and a later operation finds the reset.
#[test]
fn a_reset_that_nobody_awaits_is_quiet() {
    guarded(|| {
        let (source, peer) = tcp_pair();
        source.get_ref().write_all(b"x").unwrap();
        drop(peer);
        settle();
        foreign(Timer::after(Duration::from_millis(20)));
        let read = foreign(source.read_with(|mut io| io.read(&mut [0])));
        assert!(!matches!(read, Ok(1..)));
    });
}

/// Deadlines beyond the range of the system's waits (49 days) neither end a wait early nor delay
/// its end.
#[test]
fn far_deadlines_do_not_disturb_near_ones() {
    guarded(|| {
        let day = Duration::from_secs(24 * 3600);
        let mut far = [40, 49, 50, 60, 400].map(|days| Timer::after(day * days));
        for timer in &mut far {
            assert!(poll_now(timer).is_pending());
        }
        foreign(Timer::after(Duration::from_millis(5)));
        let udp = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0)).unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        foreign(udp.writable()).unwrap();
        foreign(Async::<TcpStream>::connect(listener.local_addr().unwrap())).unwrap();
    });
}

/// Returns how many threads this process has.
fn threads() -> usize {
    let mut entry = THREADENTRY32 {
        dwSize: mem::size_of::<THREADENTRY32>() as u32,
        ..Default::default()
    };
    let mut count = 0;
    // SAFETY: `list` is the only owner of the handle, which is open while it is read; the entry
    // contains its size.
    unsafe {
        let list = CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0);
        let list = OwnedHandle::from_raw_handle(list);
        let mut more = Thread32First(list.as_raw_handle(), &mut entry);
        while more != 0 {
            count += usize::from(entry.th32OwnerProcessID == process::id());
            more = Thread32Next(list.as_raw_handle(), &mut entry);
        }
    }
    count
}

/// Waits of all foreign executors share one thread.
#[test]
fn foreign_waits_share_one_thread() {
    isolated("foreign_waits_share_one_thread", || {
        // The system creates a few threads of its own for the first sockets.
        let sources: Vec<_> = (0..8).map(|_| local_pair()).collect();
        block_on(Timer::after(Duration::from_millis(1)));
        let before = threads();
        let (_counter, waker) = Counter::new();
        for (source, _) in &sources {
            assert!(poll_readable(source, &waker).is_pending());
        }
        let workers = [(); 4].map(|()| {
            thread::spawn(|| {
                for _ in 0..10 {
                    foreign(Timer::after(Duration::from_micros(100)));
                    settle();
                }
            })
        });
        for worker in workers {
            worker.join().unwrap();
        }
        until("there is one more thread", || threads() == before + 1);
    });
}
