//! A TCP port that several processes listen on, each with a socket of its own.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::OwnedFd;

use rustix::net::sockopt::{set_ipv6_v6only, set_socket_reuseaddr, set_socket_reuseport};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with};

/// Binds a socket with `SO_REUSEPORT`. The kernel spreads connections over all that are bound so.
/// Without IPv6 in the system, `::` falls back to `0.0.0.0`.
pub fn bind_shared_port(host: &str, port: u16, ipv6_only: bool) -> io::Result<OwnedFd> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    let fallback = (host == "::").then_some(SocketAddr::from(([0, 0, 0, 0], port)));
    for address in (host, port).to_socket_addrs()?.chain(fallback) {
        match bind_to(address, ipv6_only) {
            Ok(fd) => return Ok(fd),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(error),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn bind_to(address: SocketAddr, ipv6_only: bool) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let fd = socket_with(family, SocketType::STREAM, flags, None)?;
    set_socket_reuseaddr(&fd, true)?;
    set_socket_reuseport(&fd, true)?;
    if address.is_ipv6() {
        set_ipv6_v6only(&fd, ipv6_only)?;
    }
    bind(&fd, &address)?;
    Ok(fd)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::getsockname;

    #[test]
    fn a_port_can_be_bound_twice() {
        let first = bind_shared_port("127.0.0.1", 0, false).expect("a port");
        let name = getsockname(&first).expect("a name");
        let address = SocketAddr::try_from(name).expect("an address");
        bind_shared_port("127.0.0.1", address.port(), false).expect("the same port");
    }

    #[test]
    fn a_host_that_is_not_here_is_an_error() {
        assert!(bind_shared_port("192.0.2.1", 0, false).is_err());
    }
}
