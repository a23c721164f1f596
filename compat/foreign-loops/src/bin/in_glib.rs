//! A reactor inside the main loop of GLib, as a source of its own kind.
//!
//! The functions of a `GSource` correspond to those of a reactor: `prepare` is `prepare`, `check` asks
//! whether the descriptor is readable, and `dispatch` is `turn`.
#![allow(unsafe_code)]

use std::ffi::c_int;
use std::io;
use std::mem::size_of;
use std::os::fd::AsRawFd;
use std::process::ExitCode;
use std::ptr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use foreign_loops::{Guest, Host, exercise};
use glib::ffi::{
    G_IO_IN, G_SOURCE_CONTINUE, GFALSE, GSource, GSourceFunc, GSourceFuncs, GTRUE,
    g_source_add_unix_fd, g_source_new, g_source_query_unix_fd, g_source_set_can_recurse, gboolean,
    gpointer,
};
use glib::translate::from_glib_full;
use glib::{ControlFlow, MainContext, Priority, Source};

fn main() -> ExitCode {
    println!("GLib:");
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("in_glib: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> io::Result<()> {
    let guest = Rc::new(Guest::new()?);
    let context = MainContext::new();
    let _acquired = context.acquire().map_err(io::Error::other)?;
    let source = guest_source(&guest)?;
    source.attach(Some(&context));
    let mut host = Glib {
        context: &context,
        has_alarmed: Arc::default(),
    };
    let result = exercise(&mut host, &guest);
    source.destroy();
    result
}

/// A `GSource` with its own fields behind those of GLib. GLib sets them to zero.
#[repr(C)]
struct GuestSource {
    source: GSource,
    /// Comes from `Rc::into_raw`, or is null.
    guest: *const Guest,
    tag: gpointer,
}

static FUNCTIONS: GSourceFuncs = GSourceFuncs {
    prepare: Some(prepare),
    check: Some(check),
    dispatch: Some(dispatch),
    finalize: Some(finalize),
    closure_callback: None,
    closure_marshal: None,
};

fn guest_source(guest: &Rc<Guest>) -> io::Result<Source> {
    let descriptor = guest.fd()?.as_raw_fd();
    let size = size_of::<GuestSource>() as u32;
    // SAFETY: The size is that of `GuestSource`, and GLib changes nothing through the pointer to the
    // functions. The new source is ours alone. Its guest keeps the descriptor open until `finalize`.
    unsafe {
        let source = g_source_new(ptr::from_ref(&FUNCTIONS).cast_mut(), size);
        let fields = source.cast::<GuestSource>();
        (*fields).guest = Rc::into_raw(Rc::clone(guest));
        (*fields).tag = g_source_add_unix_fd(source, descriptor, G_IO_IN);
        // For another source, GLib changes its set of descriptors during each dispatch, and then wakes
        // its own loop once more. No task of this guest runs a main loop, so nothing recurses.
        g_source_set_can_recurse(source, GTRUE);
        Ok(from_glib_full(source))
    }
}

/// Returns the fields of a source.
///
/// # Safety
///
/// `source` was made by [`guest_source`] and is not finalized before the result is dropped.
unsafe fn fields<'a>(source: *mut GSource) -> (&'a Guest, gpointer) {
    // SAFETY: `guest_source` has set both fields, and only `finalize` gives the guest back.
    unsafe {
        let fields = source.cast::<GuestSource>();
        (&*(*fields).guest, (*fields).tag)
    }
}

/// Runs before each wait.
unsafe extern "C" fn prepare(source: *mut GSource, limit: *mut c_int) -> gboolean {
    // SAFETY: GLib passes the source that it prepares, and a place for the result.
    let guest = unsafe {
        // The descriptor also becomes readable when a timer is due.
        *limit = -1;
        fields(source).0
    };
    match guest.prepare() {
        Ok(true) => GTRUE,
        Ok(false) => GFALSE,
        Err(error) => {
            guest.fail(error);
            GTRUE
        }
    }
}

/// Runs after each wait. Returns whether to dispatch.
unsafe extern "C" fn check(source: *mut GSource) -> gboolean {
    // SAFETY: GLib passes the source that it checks. The tag is that of its descriptor.
    let conditions = unsafe { g_source_query_unix_fd(source, fields(source).1) };
    gboolean::from(conditions & G_IO_IN != 0)
}

unsafe extern "C" fn dispatch(source: *mut GSource, _: GSourceFunc, _: gpointer) -> gboolean {
    // SAFETY: GLib passes the source that it dispatches, and holds a reference to it.
    let guest = unsafe { fields(source).0 };
    if let Err(error) = guest.turn() {
        guest.fail(error);
    }
    G_SOURCE_CONTINUE
}

unsafe extern "C" fn finalize(source: *mut GSource) {
    // SAFETY: GLib calls this once, when no reference to the source is left. A null pointer is not
    // from `Rc::into_raw`.
    unsafe {
        let guest = (*source.cast::<GuestSource>()).guest;
        if !guest.is_null() {
            drop(Rc::from_raw(guest));
        }
    }
}

struct Glib<'a> {
    context: &'a MainContext,
    has_alarmed: Arc<AtomicBool>,
}

impl Host for Glib<'_> {
    fn round(&mut self) -> io::Result<()> {
        self.context.iteration(true);
        Ok(())
    }

    fn set_alarm(&mut self, after: Duration) -> io::Result<()> {
        let has_alarmed = Arc::clone(&self.has_alarmed);
        let alarm = glib::timeout_source_new(after, None, Priority::DEFAULT, move || {
            has_alarmed.store(true, Ordering::Relaxed);
            ControlFlow::Break
        });
        alarm.attach(Some(self.context));
        Ok(())
    }

    fn has_alarmed(&self) -> bool {
        self.has_alarmed.load(Ordering::Relaxed)
    }
}
