//! The native listener as JavaScript holds it.

use std::os::fd::IntoRawFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use napi::bindgen_prelude::*;
use napi_derive::napi;

use super::core::Core;
use crate::server::{
    Acceptor, Compression, Cors, Limits, MAX_HEAD, Origins, Policy, Route, TlsIdentity, TlsSetup,
    defer_accept, lengthen_queue,
};
use crate::shard::Command;

/// Bounds of a listener.
#[napi(object)]
pub struct AcceptorLimits {
    /// Handshakes that JavaScript has not heard of; more are refused.
    pub max_pending: u32,
    /// Milliseconds that a connection may take to say what it wants.
    pub first_bytes: u32,
    /// Milliseconds that an answer may take to leave.
    pub answer: u32,
    /// Milliseconds that the handshake of TLS may take.
    pub tls_handshake: u32,
}

/// Milliseconds that clients have, as the http server's properties say.
#[napi(object)]
pub struct PolicyTimes {
    /// How long an idle connection is kept.
    pub keep_alive: u32,
    /// How long the head of a request may take to arrive.
    pub head: u32,
    /// How long a whole request may take.
    pub request: u32,
}

/// What TLS is spoken with.
#[napi(object)]
pub struct TlsOptions {
    /// Certificates and their keys.
    pub identities: Vec<TlsIdentityOptions>,
    /// TLS 1.2 is spoken.
    pub tls12: bool,
    /// TLS 1.3 is spoken.
    pub tls13: bool,
}

/// A certificate and its key.
#[napi(object)]
pub struct TlsIdentityOptions {
    /// The server name that it is for; absent for any.
    pub name: Option<String>,
    /// The certificate in DER, then those that it is signed by.
    pub chain: Vec<Buffer>,
    /// The key, PKCS #8 in DER.
    pub key: Buffer,
}

/// What a listener may serve by itself for one engine.
#[napi(object)]
pub struct RouteOptions {
    /// The engine's number.
    pub engine: u32,
    /// The path of its requests, up to the query.
    pub path: String,
    /// Open connections over WebSocket.
    pub websocket: bool,
    /// Open and serve connections over polling.
    pub polling: bool,
    /// Upgrade connections from polling.
    pub upgrade: bool,
    /// WebSockets may be compressed.
    pub deflate: bool,
    /// What follows the sid in open packets over WebSocket.
    pub websocket_open: String,
    /// The same over polling.
    pub polling_open: String,
    /// Present when other origins are told something.
    pub cors: Option<CorsOptions>,
    /// What comes before the sid in the cookie of polling handshakes.
    pub cookie_head: Option<String>,
    /// What comes after it.
    pub cookie_tail: Option<String>,
    /// Polling answers from so many bytes on are compressed.
    pub compress_from: Option<u32>,
}

/// The headers for other origins.
#[napi(object)]
pub struct CorsOptions {
    /// 0 any origin, 1 the first of the list, 2 whichever asks, 3 those of the list.
    pub mode: u32,
    /// Origins.
    pub origins: Vec<String>,
    /// Further header lines, each with its line end.
    pub rest: String,
}

/// A connection that JavaScript has to serve. The descriptor is its own from now on.
#[napi(object)]
pub struct PassedConnection {
    /// The descriptor.
    pub fd: i32,
    /// What was read of it, if anything.
    pub bytes: Option<Buffer>,
    /// The peer's address and port and our own, in JSON, where the descriptor does not tell.
    pub addresses: Option<String>,
}

#[napi]
impl Core {
    /// Binds a TCP port that other processes may bind too. The descriptor is the caller's.
    #[napi(catch_unwind)]
    pub fn bind_shared_port(&self, host: String, port: u32, ipv6_only: bool) -> Result<i32> {
        let port = u16::try_from(port).map_err(|_| Error::from_reason("EINVAL: no such port"))?;
        let bound = crate::server::bind_shared_port(&host, port, ipv6_only);
        let fd = bound.map_err(|error| {
            let code = match error.kind() {
                std::io::ErrorKind::AddrInUse => "EADDRINUSE",
                std::io::ErrorKind::AddrNotAvailable => "EADDRNOTAVAIL",
                std::io::ErrorKind::PermissionDenied => "EACCES",
                _ => "EINVAL",
            };
            Error::from_reason(format!("{code}: {error}, {host}:{port}"))
        })?;
        Ok(fd.into_raw_fd())
    }

    /// Makes a listener, which waits to be started. With `is_proxied`, its connections begin with a
    /// header of the PROXY protocol.
    #[napi(catch_unwind)]
    pub fn open_acceptor(&mut self, limits: AcceptorLimits, is_proxied: bool) -> u32 {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let limits = Limits {
            max_pending: limits.max_pending as usize,
            first_bytes: Duration::from_millis(limits.first_bytes.into()),
            answer: Duration::from_millis(limits.answer.into()),
            tls_handshake: Duration::from_millis(limits.tls_handshake.into()),
        };
        let acceptor = Acceptor::new(id, self.port.clone(), self.port_id, limits, is_proxied);
        self.acceptors.insert(id, acceptor);
        id
    }

    /// Speaks TLS with the connections that a listener accepts from now on.
    #[napi(catch_unwind)]
    pub fn set_tls(&self, acceptor: u32, options: TlsOptions) -> Result<()> {
        let setup = TlsSetup::from(options);
        let config = setup.build().map_err(|error| Error::from_reason(error.to_string()))?;
        if let Some(acceptor) = self.acceptors.get(&acceptor) {
            acceptor.set_tls(config);
        }
        Ok(())
    }

    /// Accepts connections of a listening socket, which is duplicated, from now on. With `backlog`,
    /// so many may wait.
    #[napi(catch_unwind)]
    pub fn start_acceptor(&self, acceptor: u32, fd: i32, backlog: Option<i32>) -> Result<()> {
        let listener = crate::transport::duplicate_raw(fd)?;
        if let Some(acceptor) = self.acceptors.get(&acceptor) {
            acceptor.start(listener, backlog)?;
        }
        Ok(())
    }

    /// Has a listener stand without a socket of its own: Node accepts on `fd`, if that is known here.
    /// With `backlog`, so many may wait.
    #[napi(catch_unwind)]
    pub fn stand_acceptor(&self, acceptor: u32, fd: i32, backlog: Option<i32>) {
        if let Some(acceptor) = self.acceptors.get(&acceptor) {
            if let Some(backlog) = backlog {
                crate::transport::borrow(fd, |fd| lengthen_queue(fd, backlog));
            }
            acceptor.stand();
        }
    }

    /// Has the kernel keep connections on which nothing has come from whoever accepts on `fd`, for
    /// about a second.
    #[napi(catch_unwind)]
    pub fn defer_accept(&self, fd: i32, is_deferred: bool) {
        // A socket that knows no such thing is accepted on as ever.
        let _ = crate::transport::borrow(fd, |fd| defer_accept(fd, is_deferred));
    }

    /// Takes a connection that Node has accepted, and of which nothing was read, if a request of
    /// Engine.IO's waits on it. The descriptor remains the caller's.
    #[napi(catch_unwind)]
    pub fn offer_connection(&self, acceptor: u32, fd: i32) -> bool {
        let Some(acceptor) = self.acceptors.get(&acceptor) else { return false };
        crate::transport::borrow(fd, |fd| acceptor.offer(fd)).unwrap_or(false)
    }

    /// Leaves the polling requests of a session to JavaScript.
    #[napi(catch_unwind)]
    pub fn leave_requests(&self, handle: u32) {
        self.send(handle, |key| Command::LeaveRequests { key });
    }

    /// The session that a listener has opened under that sid, while it lives.
    #[napi(catch_unwind)]
    pub fn find_session(&self, engine: u32, sid: String) -> Option<u32> {
        let engine = self.engines.get(&engine);
        let sid = sid.as_bytes().try_into().ok()?;
        Some(engine?.registry.find(sid)?.session.handle())
    }

    /// Replaces what a listener may serve by itself.
    #[napi(catch_unwind)]
    pub fn set_policy(
        &self,
        acceptor: u32,
        times: PolicyTimes,
        max_head: u32,
        routes: Vec<RouteOptions>,
    ) {
        let Some(acceptor) = self.acceptors.get(&acceptor) else { return };
        let routes = routes.into_iter().filter_map(|route| self.route(route)).collect();
        let [keep_alive, head_timeout, request_timeout] =
            [times.keep_alive, times.head, times.request]
                .map(|ms| Duration::from_millis(ms.into()));
        let max_head = MAX_HEAD.min(max_head as usize);
        acceptor.set_policy(Policy { routes, keep_alive, max_head, head_timeout, request_timeout });
    }

    /// Takes the connections that a listener does not serve.
    #[napi(catch_unwind)]
    pub fn take_passed(&self, acceptor: u32) -> Vec<PassedConnection> {
        let Some(acceptor) = self.acceptors.get(&acceptor) else { return Vec::new() };
        let passed = acceptor.take_passed().into_iter();
        passed
            .map(|passed| PassedConnection {
                fd: passed.fd.into_raw_fd(),
                bytes: (!passed.bytes.is_empty()).then(|| passed.bytes.into()),
                addresses: passed.addresses,
            })
            .collect()
    }

    /// So many handshakes have been heard of.
    #[napi(catch_unwind)]
    pub fn heard_handshakes(&self, acceptor: u32, count: u32) {
        if let Some(acceptor) = self.acceptors.get(&acceptor) {
            acceptor.heard(count as usize);
        }
    }

    /// Drops the connections that a listener serves over HTTP, or those of them that wait for a request.
    #[napi(catch_unwind)]
    pub fn drop_http_connections(&self, acceptor: u32, only_idle: bool) {
        if let Some(acceptor) = self.acceptors.get(&acceptor) {
            acceptor.drop_connections(only_idle);
        }
    }

    /// Stops listening. A record tells when the connections over HTTP are gone as well.
    #[napi(catch_unwind)]
    pub fn close_acceptor(&self, acceptor: u32) {
        if let Some(acceptor) = self.acceptors.get(&acceptor) {
            acceptor.close(false);
            acceptor.wait_unlistened();
        }
    }

    /// Forgets a listener that has closed.
    #[napi(catch_unwind)]
    pub fn forget_acceptor(&mut self, acceptor: u32) {
        if let Some(acceptor) = self.acceptors.remove(&acceptor) {
            acceptor.close(true);
        }
    }
}

impl Core {
    fn route(&self, route: RouteOptions) -> Option<Route> {
        let engine = self.engines.get(&route.engine)?;
        Some(Route {
            engine: route.engine,
            path: route.path,
            config: engine.config.clone(),
            shards: engine.shards,
            registry: engine.registry.clone(),
            websocket: route.websocket,
            polling: route.polling,
            upgrade: route.upgrade,
            deflate: route.deflate,
            websocket_open: route.websocket_open,
            polling_open: route.polling_open,
            cors: route.cors.map(Cors::from).unwrap_or_default(),
            cookie: route.cookie_head.zip(route.cookie_tail),
            compression: route
                .compress_from
                .map(|threshold| Compression { threshold: threshold as usize }),
        })
    }
}

impl From<TlsOptions> for TlsSetup {
    fn from(options: TlsOptions) -> Self {
        let identity = |identity: TlsIdentityOptions| TlsIdentity {
            name: identity.name,
            chain: identity.chain.into_iter().map(|der| der.to_vec()).collect(),
            key: identity.key.to_vec(),
        };
        Self {
            identities: options.identities.into_iter().map(identity).collect(),
            tls12: options.tls12,
            tls13: options.tls13,
        }
    }
}

impl From<CorsOptions> for Cors {
    fn from(options: CorsOptions) -> Self {
        let CorsOptions { mode, origins, rest } = options;
        let origins = match mode {
            0 => Origins::Any,
            1 => Origins::One(origins.into_iter().next().unwrap_or_default()),
            2 => Origins::Reflect,
            _ => Origins::List(origins),
        };
        Self { origins: Some(origins), rest }
    }
}
