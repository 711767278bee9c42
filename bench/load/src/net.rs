//! One thread, one epoll, many sockets of 127.0.0.1: connecting, accepting, reading into
//! one shared buffer, writing at once and keeping what the kernel does not take.
//! Knows bytes only.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

/// The buffer all sockets are read into.
const READ_BYTES: usize = 512 * 1024;
/// How many readiness events one wait may bring.
const EVENTS: usize = 1024;
/// From so many on, the next wait follows without a nap.
const MANY_EVENTS: usize = 128;
/// One address has about 28,000 ports for connections to one server; more clients than
/// this take the next address of the loopback range.
const PORTS_PER_ADDRESS: usize = 20_000;
const STDIN_TOKEN: u64 = u64::MAX;
const LISTENER_TOKEN: u64 = u64::MAX - 1;

/// What happens to connections. `tag` is what the caller gave when it connected.
pub trait Handler {
    fn opened(&mut self, net: &mut Net, conn: usize, tag: usize);
    /// Returns how many bytes were used; the others come again, with more behind them.
    fn data(&mut self, net: &mut Net, conn: usize, tag: usize, bytes: &mut [u8]) -> usize;
    /// The other side closed. Not called for `Net::close`.
    fn closed(&mut self, net: &mut Net, conn: usize, tag: usize);
}

struct Conn {
    fd: OwnedFd,
    tag: usize,
    generation: u32,
    connecting: bool,
    /// Bytes of an incomplete frame or header, kept for the next read.
    rest: Vec<u8>,
    /// Bytes the kernel has not taken yet, from `sent` on.
    out: Vec<u8>,
    sent: usize,
}

pub struct Net {
    epoll: OwnedFd,
    conns: Vec<Option<Conn>>,
    free: Vec<usize>,
    listener: Option<OwnedFd>,
    generation: u32,
    started: Instant,
    stdin_ready: bool,
    buffer: Vec<u8>,
    events: Vec<libc::epoll_event>,
    nap: Option<Duration>,
    busy: bool,
    /// Writes that the kernel did not take whole.
    pub short_writes: u64,
}

impl Net {
    pub fn new() -> io::Result<Self> {
        // SAFETY: plain system call; the result is checked before it is owned.
        let epoll = owned(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        Ok(Self {
            epoll,
            conns: Vec::new(),
            free: Vec::new(),
            listener: None,
            generation: 0,
            started: Instant::now(),
            stdin_ready: false,
            buffer: vec![0; READ_BYTES],
            events: vec![libc::epoll_event { events: 0, u64: 0 }; EVENTS],
            nap: None,
            busy: true,
            short_writes: 0,
        })
    }

    /// From now on looks for events between naps instead of waiting to be woken: waking a
    /// waiting thread is work of the process that writes, which is what is measured.
    pub fn nap_between_waits(&mut self, micros: u64) {
        // SAFETY: only lets this thread's timers be exact.
        unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1) };
        self.nap = (micros > 0).then(|| Duration::from_micros(micros));
    }

    /// Nanoseconds since the loop was made.
    pub fn now(&self) -> u64 {
        self.started.elapsed().as_nanos() as u64
    }

    /// Lets `turn` return early when the standard input has something.
    pub fn watch_stdin(&mut self) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, 0, libc::EPOLLIN, STDIN_TOKEN)
    }

    /// The lines that have arrived on the standard input; `None` at its end.
    pub fn read_stdin(&mut self) -> Option<String> {
        if !std::mem::take(&mut self.stdin_ready) {
            return Some(String::new());
        }
        let mut chunk = [0u8; 4096];
        // SAFETY: the buffer is valid for its whole length.
        let n = unsafe { libc::read(0, chunk.as_mut_ptr().cast(), chunk.len()) };
        (n > 0).then(|| String::from_utf8_lossy(&chunk[..n as usize]).into_owned())
    }

    /// Listens on a free port of 127.0.0.1 and returns it.
    pub fn listen(&mut self) -> io::Result<u16> {
        let listener = std::net::TcpListener::bind(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let fd = OwnedFd::from(listener);
        // SAFETY: a second listen only raises the backlog; the descriptor is ours.
        unsafe { libc::listen(fd.as_raw_fd(), 4096) };
        self.control(libc::EPOLL_CTL_ADD, fd.as_raw_fd(), libc::EPOLLIN, LISTENER_TOKEN)?;
        self.listener = Some(fd);
        Ok(port)
    }

    /// Starts a connection to a port of 127.0.0.1.
    pub fn connect(&mut self, port: u16, tag: usize) -> io::Result<usize> {
        let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        // SAFETY: plain system call; the result is checked before it is owned.
        let fd = owned(unsafe { libc::socket(libc::AF_INET, kind, 0) })?;
        set_option(fd.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_NODELAY, 1i32)?;
        // Connections end with a reset, so that thousands of them leave no port waiting.
        let linger = libc::linger { l_onoff: 1, l_linger: 0 };
        set_option(fd.as_raw_fd(), libc::SOL_SOCKET, libc::SO_LINGER, linger)?;
        let size = size_of::<libc::sockaddr_in>() as libc::socklen_t;
        if self.conns.len() > PORTS_PER_ADDRESS {
            let source = socket_address(1 + (self.conns.len() / PORTS_PER_ADDRESS) as u32, 0);
            set_option(fd.as_raw_fd(), libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, 1i32)?;
            // SAFETY: the address outlives the call and its size is right.
            if unsafe { libc::bind(fd.as_raw_fd(), (&raw const source).cast(), size) } < 0 {
                return Err(io::Error::last_os_error());
            }
        }
        let address = socket_address(1, port);
        // SAFETY: the address outlives the call and its size is right.
        let result = unsafe { libc::connect(fd.as_raw_fd(), (&raw const address).cast(), size) };
        if result < 0 {
            let error = io::Error::last_os_error();
            if error.raw_os_error() != Some(libc::EINPROGRESS) {
                return Err(error);
            }
        }
        self.add(fd, tag, true)
    }

    /// Writes now what the kernel takes; the rest leaves when it takes more.
    pub fn write(&mut self, conn: usize, bytes: &[u8]) {
        let Some(Some(c)) = self.conns.get_mut(conn) else { return };
        let mut taken = 0;
        if c.out.is_empty() && !c.connecting {
            taken = send(c.fd.as_raw_fd(), bytes);
        }
        if taken < bytes.len() {
            let arm = c.out.is_empty();
            c.out.extend_from_slice(&bytes[taken..]);
            self.short_writes += 1;
            if arm {
                self.interest(conn, libc::EPOLLIN | libc::EPOLLOUT);
            }
        }
    }

    pub fn close(&mut self, conn: usize) {
        if self.conns.get_mut(conn).and_then(Option::take).is_some() {
            self.free.push(conn);
        }
    }

    /// Waits once, at most `timeout_ms`, and tells the handler what happened.
    pub fn turn<H: Handler>(&mut self, handler: &mut H, timeout_ms: i32) -> io::Result<()> {
        let mut timeout_ms = timeout_ms;
        if let Some(nap) = self.nap {
            if !self.busy {
                std::thread::sleep(nap);
            }
            timeout_ms = 0;
        }
        let mut events = std::mem::take(&mut self.events);
        let mut buffer = std::mem::take(&mut self.buffer);
        // SAFETY: the event list is valid for its whole length.
        let count = unsafe {
            libc::epoll_wait(
                self.epoll.as_raw_fd(),
                events.as_mut_ptr(),
                events.len() as i32,
                timeout_ms,
            )
        };
        self.busy = count >= MANY_EVENTS as i32;
        for event in events.iter().take(count.max(0) as usize) {
            let (token, flags) = (event.u64, event.events as i32);
            match token {
                STDIN_TOKEN => self.stdin_ready = true,
                LISTENER_TOKEN => self.accept(handler)?,
                _ => {
                    let (conn, generation) = (token as u32 as usize, (token >> 32) as u32);
                    self.ready(handler, &mut buffer, conn, generation, flags);
                }
            }
        }
        self.events = events;
        self.buffer = buffer;
        Ok(())
    }

    fn ready<H: Handler>(
        &mut self,
        handler: &mut H,
        buffer: &mut [u8],
        conn: usize,
        generation: u32,
        flags: i32,
    ) {
        let Some(Some(c)) = self.conns.get_mut(conn) else { return };
        if c.generation != generation {
            return;
        }
        let tag = c.tag;
        if flags & libc::EPOLLOUT != 0 {
            if std::mem::take(&mut c.connecting) {
                self.interest(conn, libc::EPOLLIN);
                handler.opened(self, conn, tag);
            }
            self.flush(conn);
        }
        if flags & (libc::EPOLLIN | libc::EPOLLHUP | libc::EPOLLERR) != 0 {
            self.read(handler, buffer, conn, tag);
        }
    }

    fn flush(&mut self, conn: usize) {
        let Some(Some(c)) = self.conns.get_mut(conn) else { return };
        if c.out.is_empty() {
            return;
        }
        c.sent += send(c.fd.as_raw_fd(), &c.out[c.sent..]);
        if c.sent == c.out.len() {
            c.out.clear();
            c.sent = 0;
            self.interest(conn, libc::EPOLLIN);
        } else {
            self.interest(conn, libc::EPOLLIN | libc::EPOLLOUT);
        }
    }

    fn read<H: Handler>(&mut self, handler: &mut H, buffer: &mut [u8], conn: usize, tag: usize) {
        loop {
            let Some(Some(c)) = self.conns.get_mut(conn) else { return };
            let kept = c.rest.len();
            buffer[..kept].copy_from_slice(&c.rest);
            let space = buffer.len() - kept;
            // SAFETY: the buffer is valid from `kept` on for `space` bytes.
            let n = unsafe {
                libc::recv(c.fd.as_raw_fd(), buffer[kept..].as_mut_ptr().cast(), space, 0)
            };
            if n < 0 && io::Error::last_os_error().kind() == io::ErrorKind::WouldBlock {
                return;
            }
            if n <= 0 {
                self.close(conn);
                handler.closed(self, conn, tag);
                return;
            }
            let filled = kept + n as usize;
            let used = handler.data(self, conn, tag, &mut buffer[..filled]);
            let Some(Some(c)) = self.conns.get_mut(conn) else { return };
            c.rest.clear();
            c.rest.extend_from_slice(&buffer[used..filled]);
            // A read that did not fill the buffer has emptied the socket.
            if (n as usize) < space {
                return;
            }
        }
    }

    fn accept<H: Handler>(&mut self, handler: &mut H) -> io::Result<()> {
        let Some(listener) = self.listener.as_ref().map(AsRawFd::as_raw_fd) else { return Ok(()) };
        loop {
            let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
            // SAFETY: no address is asked for; the result is checked before it is owned.
            let fd = unsafe {
                libc::accept4(listener, std::ptr::null_mut(), std::ptr::null_mut(), flags)
            };
            let Ok(fd) = owned(fd) else { return Ok(()) };
            set_option(fd.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_NODELAY, 1i32)?;
            let conn = self.add(fd, 0, false)?;
            handler.opened(self, conn, 0);
        }
    }

    fn add(&mut self, fd: OwnedFd, tag: usize, connecting: bool) -> io::Result<usize> {
        let conn = self.free.pop().unwrap_or_else(|| {
            self.conns.push(None);
            self.conns.len() - 1
        });
        self.generation = self.generation.wrapping_add(1) & 0x7fff_ffff;
        let generation = self.generation;
        let interest = if connecting { libc::EPOLLIN | libc::EPOLLOUT } else { libc::EPOLLIN };
        self.control(libc::EPOLL_CTL_ADD, fd.as_raw_fd(), interest, token(conn, generation))?;
        let (rest, out) = (Vec::new(), Vec::new());
        self.conns[conn] = Some(Conn { fd, tag, generation, connecting, rest, out, sent: 0 });
        Ok(conn)
    }

    fn interest(&mut self, conn: usize, interest: i32) {
        if let Some(Some(c)) = self.conns.get(conn) {
            let (fd, token) = (c.fd.as_raw_fd(), token(conn, c.generation));
            // The descriptor is registered as long as it is open, so this cannot fail.
            let _ = self.control(libc::EPOLL_CTL_MOD, fd, interest, token);
        }
    }

    fn control(&self, action: i32, fd: RawFd, interest: i32, token: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events: interest as u32, u64: token };
        // SAFETY: the event outlives the call.
        let result = unsafe { libc::epoll_ctl(self.epoll.as_raw_fd(), action, fd, &raw mut event) };
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

/// 127.0.0.`host`, in the kernel's form.
fn socket_address(host: u32, port: u16) -> libc::sockaddr_in {
    // SAFETY: an all-zero sockaddr_in is a valid value.
    let mut address: libc::sockaddr_in = unsafe { std::mem::zeroed() };
    address.sin_family = libc::AF_INET as libc::sa_family_t;
    address.sin_port = port.to_be();
    address.sin_addr.s_addr = ((127 << 24) | host).to_be();
    address
}

fn token(conn: usize, generation: u32) -> u64 {
    (u64::from(generation) << 32) | conn as u64
}

fn owned(fd: RawFd) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just handed this descriptor to us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// How many bytes the kernel took. An error shows as a close at the next read.
fn send(fd: RawFd, bytes: &[u8]) -> usize {
    // SAFETY: the slice is valid for its length.
    let n = unsafe { libc::send(fd, bytes.as_ptr().cast(), bytes.len(), libc::MSG_NOSIGNAL) };
    n.max(0) as usize
}

fn set_option<T>(fd: RawFd, level: i32, name: i32, value: T) -> io::Result<()> {
    // SAFETY: the value outlives the call and its size is passed with it.
    let result = unsafe {
        libc::setsockopt(
            fd,
            level,
            name,
            (&raw const value).cast(),
            size_of::<T>() as libc::socklen_t,
        )
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
