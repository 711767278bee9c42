//! What the listener may serve by itself. JavaScript replaces it as a whole whenever something
//! that has a say is registered or removed.

use std::sync::Arc;
use std::time::Duration;

use crate::config::EngineConfig;
use crate::shard::Registry;

use super::cors::Cors;

/// Everything that decides about requests.
#[derive(Debug)]
pub struct Policy {
    /// The engines that share the port.
    pub routes: Vec<Route>,
    /// How long an idle HTTP connection is kept after an answer.
    pub keep_alive: Duration,
    /// The longest head of a request; `MAX_HEAD` at most.
    pub max_head: usize,
    /// How long the head of a request may take to arrive, if that is less than what all of the listener's
    /// connections may take.
    pub head_timeout: Duration,
    /// How long a whole request may take.
    pub request_timeout: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        let head_timeout = Duration::MAX;
        let request_timeout = Duration::from_secs(300);
        let (routes, keep_alive) = Default::default();
        Self { routes, keep_alive, max_head: 0, head_timeout, request_timeout }
    }
}

impl Policy {
    /// How many I/O threads the engines are spread over.
    pub fn threads(&self) -> usize {
        self.routes.iter().map(|route| route.shards).max().unwrap_or(1)
    }
}

/// One engine, and which of its requests JavaScript has no part in.
#[derive(Debug, Clone)]
pub struct Route {
    /// JavaScript's number of the engine.
    pub engine: u32,
    /// The path that its requests have, up to the query.
    pub path: String,
    /// Options that sessions read.
    pub config: Arc<EngineConfig>,
    /// How many I/O threads its sessions are spread over.
    pub shards: usize,
    /// Its sessions that further requests may name.
    pub registry: Arc<Registry>,
    /// WebSocket connections may be opened.
    pub websocket: bool,
    /// Polling connections may be opened, and polled.
    pub polling: bool,
    /// WebSockets may be compressed: what that needs is negotiated in JavaScript.
    pub deflate: bool,
    /// Polling connections may be upgraded.
    pub upgrade: bool,
    /// What follows the sid in the open packet over WebSocket.
    pub websocket_open: String,
    /// The same over polling.
    pub polling_open: String,
    /// Headers for other origins.
    pub cors: Cors,
    /// The cookie of polling handshakes: what comes before and after the sid in its header.
    pub cookie: Option<(String, String)>,
    /// When polling answers are compressed.
    pub compression: Option<Compression>,
}

#[cfg(any(test, feature = "fuzzing"))]
impl Route {
    /// A route on which everything is served natively, for tests.
    pub fn open_to_all(path: &str) -> Self {
        Self {
            engine: 0,
            path: path.into(),
            config: Arc::new(EngineConfig::new()),
            shards: 1,
            registry: Arc::new(Registry::default()),
            websocket: true,
            polling: true,
            deflate: false,
            upgrade: true,
            websocket_open: String::new(),
            polling_open: String::new(),
            cors: Cors::default(),
            cookie: None,
            compression: None,
        }
    }
}

/// How polling answers are compressed.
#[derive(Debug, Clone, Copy)]
pub struct Compression {
    /// Answers of fewer bytes are not.
    pub threshold: usize,
}
