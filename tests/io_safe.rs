//! What `IoSafe` is for. (`api.rs` checks which types implement it.)
// `IoSafe` is an unsafe trait.
#![allow(unsafe_code)]

mod support;

#[cfg(unix)]
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::sync::Arc;

use async_io::{Async, IoSafe};
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use support::*;

/// A type of another crate that is not `IoSafe` and can be read through a shared reference.
struct Shared(Local);

as_object!(Shared, |this| this.0);

impl Read for &Shared {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        (&self.0).read(buf)
    }
}

impl Write for &Shared {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        (&self.0).write(buf)
    }
    fn flush(&mut self) -> io::Result<()> {
        (&self.0).flush()
    }
}

/// A shared source does not need `IoSafe`, and neither does a source of a reference.
#[test]
fn references_need_no_promise() {
    static_assertions::assert_not_impl_any!(Shared: IoSafe);
    guarded(|| {
        let (stream, mut peer) = pair();
        let object = Shared(stream);
        peer.write_all(b"ab").unwrap();
        let mut buf = [0];
        foreign(async {
            let mut source = Async::new(&object).unwrap();
            source.read_exact(&mut buf).await.unwrap();
            source.write_all(b"c").await.unwrap();
        });
        let source = Async::new(object).unwrap();
        foreign(async {
            (&source).read_exact(&mut buf).await.unwrap();
            (&source).write_all(b"d").await.unwrap();
        });
        let mut got = [0; 2];
        peer.read_exact(&mut got).unwrap();
        assert_eq!((&buf, &got), (b"b", b"cd"));
    });
}

/// A buffered reader with a descriptor, which `BufReader` does not expose.
struct Buffered(BufReader<Local>);

as_object!(Buffered, |this| this.0.get_ref());

impl Read for Buffered {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
}

// SAFETY: reading does not drop the stream.
unsafe impl IoSafe for Buffered {}

/// Third parties implement `IoSafe` for their own types, for example for wrappers of the standard
/// library's buffers. Buffered data is returned without waiting, even if the descriptor is not
/// readable.
#[test]
fn other_crates_may_implement_io_safe() {
    guarded(|| {
        let (stream, mut peer) = pair();
        peer.write_all(b"abc").unwrap();
        let mut source = Async::new(Buffered(BufReader::new(stream))).unwrap();
        for expected in b"abc" {
            let mut buf = [0];
            foreign(source.read_exact(&mut buf)).unwrap();
            assert_eq!(buf[0], *expected);
        }
        assert!(poll_now(source.read(&mut [0])).is_pending());
        peer.write_all(b"d").unwrap();
        assert_eq!(foreign(source.read(&mut [0; 8])).unwrap(), 1);
    });
}

/// A buffered writer with a descriptor. Dropping it writes the remaining data.
struct Flushing(BufWriter<Local>);

as_object!(Flushing, |this| this.0.get_ref());

impl Write for Flushing {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.write(buf)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

// SAFETY: writing does not drop the stream.
unsafe impl IoSafe for Flushing {}

/// `poll_flush` and `poll_close` flush such a buffer, and dropping the source may write.
#[test]
fn buffered_writers_are_flushed() {
    guarded(|| {
        let (stream, mut peer) = pair();
        let mut source = Async::new(Flushing(BufWriter::new(stream))).unwrap();
        foreign(async {
            source.write_all(b"a").await.unwrap();
            source.flush().await.unwrap();
            source.write_all(b"b").await.unwrap();
            source.close().await.unwrap();
            source.write_all(b"c").await.unwrap();
        });
        peer.set_nonblocking(true).unwrap();
        let mut got = [0; 8];
        assert_eq!(peer.read(&mut got).unwrap(), 2);
        drop(source);
        assert_eq!(peer.read(&mut got).unwrap(), 1);
        assert_eq!(&got[..2], b"cb");
    });
}

/// Boxes and exclusive references implement `IoSafe` if their target does. Other smart pointers
/// work by reference.
#[test]
fn boxes_and_references_are_io_safe_if_their_target_is() {
    guarded(|| {
        let (mut stream, mut peer) = pair();
        peer.write_all(b"abc").unwrap();
        foreign(async {
            let mut source = Async::new(&mut stream).unwrap();
            source.read_exact(&mut [0]).await.unwrap();
        });
        let mut source = Async::new(Box::new(stream)).unwrap();
        foreign(source.read_exact(&mut [0])).unwrap();
        let shared = Arc::new(Async::new(*source.into_inner().unwrap()).unwrap());
        foreign((&*shared).read_exact(&mut [0])).unwrap();
    });
}

/// `File` is `IoSafe`, which is useful for pipes and devices.
#[cfg(unix)]
#[test]
fn files_that_are_pipes_can_be_read() {
    fn read_all(reader: File) -> Vec<u8> {
        let mut all = Vec::new();
        let mut source = Async::new(reader).unwrap();
        foreign(source.read_to_end(&mut all)).unwrap();
        all
    }
    guarded(|| {
        let (reader, writer) = pipe();
        let data = vec![3; 300_000];
        let copy = data.clone();
        let writing = std::thread::spawn(move || {
            foreign(Async::new(writer).unwrap().write_all(&copy)).unwrap();
        });
        assert!(read_all(reader) == data);
        writing.join().unwrap();
    });
}
