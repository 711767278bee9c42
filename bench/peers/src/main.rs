//! The benchmark's application on socketioxide: the same events as servers/app.js, and
//! the same lines to the runner.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::serve::ListenerExt;
use socketioxide::SocketIo;
use socketioxide::extract::{AckSender, Data, SocketRef};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::Notify;

const FIRST: u32 = 10_000_000;
const DIGITS: usize = 8;

fn main() -> std::io::Result<()> {
    raise_descriptor_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve())
}

async fn serve() -> std::io::Result<()> {
    let millis = |name, default| Duration::from_millis(setting(name, default));
    let (layer, io) = SocketIo::builder()
        .ping_interval(millis("BENCH_PING_INTERVAL", 25_000))
        .ping_timeout(millis("BENCH_PING_TIMEOUT", 20_000))
        .max_payload(1_000_000)
        .build_layer();
    let application = Arc::new(Application {
        padding: padding(setting("BENCH_PAYLOAD", 64) as usize),
        number: AtomicU32::new(FIRST),
    });
    let everyone = io.clone();
    io.ns("/", async move |socket: SocketRef| connected(&socket, &everyone, &application));

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    println!("{{\"port\":{port},\"versions\":{{\"socketioxide\":\"0.18.9\"}}}}");
    tokio::spawn(answer_runner());
    let listener = listener.tap_io(|stream| {
        // Without it the small frames would wait for acknowledgements of TCP.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, axum::Router::new().layer(layer)).await
}

struct Application {
    padding: String,
    number: AtomicU32,
}

/// How many one-way events have come. Each event runs as a task of its own here, in no
/// promised order, so only their number can be checked, and waited for.
#[derive(Default)]
struct Received {
    count: AtomicU32,
    answered: AtomicU32,
    changed: Notify,
}

fn connected(socket: &SocketRef, io: &SocketIo, application: &Arc<Application>) {
    let (all, app) = (io.clone(), application.clone());
    socket.on("b", async move |Data::<u32>(emits)| {
        for _ in 0..emits {
            let number = app.number.fetch_add(1, Ordering::Relaxed);
            all.emit("b", &(number, &app.padding)).await.ok();
        }
    });
    socket.on("move", async |socket: SocketRef, Data::<(u32, String)>(args), ack: AckSender| {
        socket.leave("r0");
        socket.join("r0");
        ack.send(&args).ok();
    });
    socket.on("join", async |socket: SocketRef, Data::<String>(room), ack: AckSender| {
        socket.join(room);
        ack.send(&()).ok();
    });
    let all = io.clone();
    socket.on("say", async move |Data::<(String, u32, String)>((room, number, text))| {
        all.to(room).emit("say", &(number, text)).await.ok();
    });
    let binary = setting("BENCH_BINARY", 0) == 1;
    if binary {
        socket.on("e", async |Data::<bytes::Bytes>(bytes), ack: AckSender| {
            ack.send(&bytes).ok();
        });
    } else {
        socket.on("e", async |Data::<(u32, String)>(arguments), ack: AckSender| {
            ack.send(&arguments).ok();
        });
    }
    let received = Arc::new(Received::default());
    let counted = received.clone();
    socket.on("m", async move |Data::<(u32, String)>(_)| {
        counted.count.fetch_add(1, Ordering::Relaxed);
        counted.changed.notify_waiters();
    });
    socket.on("sync", async move |Data::<(u32, u32)>((expected, window)), ack: AckSender| {
        received.until(expected, window).await;
        ack.send(&expected).ok();
        received.answered.store(expected, Ordering::Relaxed);
        received.changed.notify_waiters();
    });
    // What tokio offers for work that blocks: the other tasks of the thread move away.
    socket.on("block", async |Data::<u64>(ms)| {
        tokio::task::block_in_place(|| std::thread::sleep(Duration::from_millis(ms)));
    });
}

impl Received {
    /// Waits for the events before this question and for the answer to the one before it.
    async fn until(&self, expected: u32, window: u32) {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if self.count.load(Ordering::Relaxed) >= expected
                && self.answered.load(Ordering::Relaxed) + window >= expected
            {
                return;
            }
            changed.await;
        }
    }
}

async fn answer_runner() {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Ok(Some(_)) = lines.next_line().await {
        println!("{{\"cpuUs\":{},\"rss\":{}}}", cpu_micros(), resident());
    }
    std::process::exit(0);
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

fn padding(bytes: usize) -> String {
    ('a'..='z').cycle().take(bytes.saturating_sub(DIGITS)).collect()
}

/// CPU microseconds, user and system, of all threads.
fn cpu_micros() -> u64 {
    // SAFETY: an all-zero rusage is a valid value, and the call only writes to it.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        usage
    };
    let micros = |t: libc::timeval| t.tv_sec as u64 * 1_000_000 + t.tv_usec as u64;
    micros(usage.ru_utime) + micros(usage.ru_stime)
}

fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split(' ').nth(1).and_then(|field| field.parse::<u64>().ok());
    pages.unwrap_or(0) * 4096
}

fn raise_descriptor_limit() {
    // SAFETY: an all-zero rlimit is a valid value, and the calls only read and write it.
    unsafe {
        let mut limit: libc::rlimit = std::mem::zeroed();
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0 {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
        }
    }
}
