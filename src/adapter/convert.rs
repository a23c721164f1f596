//! Conversions from and to the types of `std` and of the operating system.

use super::Async;
use std::io;
use std::net::{TcpListener, TcpStream, UdpSocket};

/// Implements `TryFrom` for types of `std`.
macro_rules! try_from_std {
    ($($type:ty),* $(,)?) => {
        $(
            /// Calls [`Async::new`] and returns its errors.
            impl TryFrom<$type> for Async<$type> {
                type Error = io::Error;

                fn try_from(io: $type) -> io::Result<Self> {
                    Async::new(io)
                }
            }
        )*
    };
}

try_from_std!(TcpListener, TcpStream, UdpSocket);

#[cfg(unix)]
mod unix {
    use super::Async;
    use std::io;
    use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
    use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};

    try_from_std!(UnixDatagram, UnixListener, UnixStream);

    impl<T: AsRawFd> AsRawFd for Async<T> {
        fn as_raw_fd(&self) -> RawFd {
            self.get_ref().as_raw_fd()
        }
    }

    impl<T: AsFd> AsFd for Async<T> {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.get_ref().as_fd()
        }
    }

    /// Converts the descriptor to `T`, and calls [`Async::new`].
    impl<T: AsFd + From<OwnedFd>> TryFrom<OwnedFd> for Async<T> {
        type Error = io::Error;

        fn try_from(fd: OwnedFd) -> Result<Self, Self::Error> {
            Async::new(fd.into())
        }
    }

    /// Calls [`Async::into_inner`]. The descriptor stays in non-blocking mode.
    impl<T: Into<OwnedFd>> TryFrom<Async<T>> for OwnedFd {
        type Error = io::Error;

        fn try_from(this: Async<T>) -> Result<Self, Self::Error> {
            this.into_inner().map(Into::into)
        }
    }
}

#[cfg(windows)]
mod windows {
    use super::Async;
    use std::io;
    use std::os::windows::io::{AsRawSocket, AsSocket, BorrowedSocket, OwnedSocket, RawSocket};

    impl<T: AsRawSocket> AsRawSocket for Async<T> {
        fn as_raw_socket(&self) -> RawSocket {
            self.get_ref().as_raw_socket()
        }
    }

    impl<T: AsSocket> AsSocket for Async<T> {
        fn as_socket(&self) -> BorrowedSocket<'_> {
            self.get_ref().as_socket()
        }
    }

    /// Converts the socket to `T`, and calls [`Async::new`].
    impl<T: AsSocket + From<OwnedSocket>> TryFrom<OwnedSocket> for Async<T> {
        type Error = io::Error;

        fn try_from(socket: OwnedSocket) -> Result<Self, Self::Error> {
            Async::new(socket.into())
        }
    }

    /// Calls [`Async::into_inner`]. The socket stays in non-blocking mode.
    impl<T: Into<OwnedSocket>> TryFrom<Async<T>> for OwnedSocket {
        type Error = io::Error;

        fn try_from(this: Async<T>) -> Result<Self, Self::Error> {
            this.into_inner().map(Into::into)
        }
    }
}
