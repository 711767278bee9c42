//! A shard's thread: drains commands, runs timers, flushes what became dirty, hands events over.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::task::LocalSet;
use tokio::time::Instant;

use crate::config;
use crate::event::{EventBatch, Port};
use crate::metrics::Metrics;
use crate::session::{Context, Task};
#[cfg(not(unix))]
use crate::transport::WebSocket;

use super::command::{Barrier, Command, CommandQueue};
#[cfg(unix)]
use super::linger::linger;
use super::opening::Source;
use super::pool::{Pool, Slots};
use super::state::Shard;

/// Starts the thread of a shard.
///
/// # Errors
///
/// What the system says when it has no thread or descriptor to spare.
pub fn spawn(
    index: usize,
    queue: Arc<CommandQueue>,
    slots: Arc<Mutex<Slots>>,
    metrics: Arc<Metrics>,
) -> std::io::Result<()> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let run = move || LocalSet::new().block_on(&runtime, run(queue, slots, metrics));
    std::thread::Builder::new().name(format!("ferrio-io-{index}")).spawn(run)?;
    Ok(())
}

async fn run(queue: Arc<CommandQueue>, slots: Arc<Mutex<Slots>>, metrics: Arc<Metrics>) {
    let shard = Shared::new(queue.clone(), slots, metrics);
    let mut intake = Intake::new(queue.clone());
    loop {
        let next_timer = shard.state.borrow().ctx.next_timer();
        match next_timer {
            Some(at) => {
                let _ = tokio::time::timeout_at(at, queue.ready()).await;
            }
            None => queue.ready().await,
        }
        shard.round(&mut intake);
    }
}

/// A shard without a thread: an environment's own thread runs it, one round after the other. For
/// sessions whose bytes pass through that thread anyway, so that they do not change threads twice.
/// Streams of our own cannot be read here.
pub struct Inline {
    index: usize,
    shard: Shared,
    port: Weak<Port>,
    intake: RefCell<Intake>,
    /// When the environment is woken for timers.
    alarm: Cell<Option<Instant>>,
}

impl Inline {
    /// An empty shard.
    pub(super) fn new(
        index: usize,
        port: &Arc<Port>,
        queue: Arc<CommandQueue>,
        slots: Arc<Mutex<Slots>>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            index,
            shard: Shared::new(queue.clone(), slots, metrics),
            port: Arc::downgrade(port),
            intake: RefCell::new(Intake::new(queue)),
            alarm: Cell::new(None),
        }
    }

    /// Its place among the shards.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Does a round, then takes what waits for the environment. The environment has to be the one
    /// that the shard was lent to.
    pub fn drain(&self, port: &Port) -> EventBatch {
        // What the round itself has to say needs no further wake-up.
        port.hold();
        self.round();
        let batch = port.drain();
        if self.shard.queue.is_called() {
            // Another thread has asked for something since the round, and was not heard.
            port.wake();
        }
        batch
    }

    /// Does all that is to be done now.
    pub fn round(&self) {
        self.shard.round(&mut self.intake.borrow_mut());
        self.set_alarm();
    }

    /// Has the environment woken when the next timer is due, by a thread that has a clock.
    fn set_alarm(&self) {
        let Some(at) = self.shard.state.borrow().ctx.next_timer() else { return };
        if self.alarm.get().is_some_and(|alarm| alarm <= at && alarm > Instant::now()) {
            return;
        }
        self.alarm.set(Some(at));
        let port = self.port.clone();
        let ring = async move {
            tokio::time::sleep_until(at).await;
            if let Some(port) = port.upgrade() {
                port.nudge();
            }
        };
        // Without that thread there is no session either.
        let _ = Pool::global().run(move || drop(tokio::task::spawn_local(ring)));
    }
}

impl std::fmt::Debug for Inline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inline").field("index", &self.index).finish_non_exhaustive()
    }
}

/// Takes commands in.
pub struct Intake {
    queue: Arc<CommandQueue>,
    /// Empty between two calls; its memory is used again.
    commands: Vec<Command>,
    /// What is to be reached once everything is written.
    barriers: Vec<Arc<Barrier>>,
}

impl Intake {
    fn new(queue: Arc<CommandQueue>) -> Self {
        Self { queue, commands: Vec::new(), barriers: Vec::new() }
    }

    /// Handles all commands that wait, and tells what has come of it. Broadcasts in a row that go to the
    /// same clients become one: each of them is looked for and visited once.
    pub(super) fn take(&mut self, state: &mut Shard) {
        let Self { queue, commands, barriers } = self;
        queue.swap(commands);
        let mut waiting = commands.drain(..).peekable();
        while let Some(mut command) = waiting.next() {
            if let Command::Broadcast(broadcast) = &mut command {
                while let Some(Command::Broadcast(next)) = waiting.next_if(
                    |next| matches!(next, Command::Broadcast(next) if broadcast.takes(next)),
                ) {
                    broadcast.join(*next);
                }
            }
            state.guarded(|shard| shard.handle(command, barriers));
        }
        state.tell();
    }
}

/// A shard's state as its tasks share it. They run one at a time, and no borrow lives across an
/// await.
#[derive(Clone)]
pub struct Shared {
    pub(super) state: Rc<RefCell<Shard>>,
    pub(super) queue: Arc<CommandQueue>,
}

impl Shared {
    fn new(queue: Arc<CommandQueue>, slots: Arc<Mutex<Slots>>, metrics: Arc<Metrics>) -> Self {
        let context = Context::new(Instant::now(), metrics);
        Self { state: Rc::new(RefCell::new(Shard::new(context, slots))), queue }
    }

    /// Handles what was asked for, and what is due, then writes and tells what has come of it.
    fn round(&self, intake: &mut Intake) {
        let mut state = self.state.borrow_mut();
        state.ctx.now = Instant::now();
        state.ctx.metrics.rounds.add(1);
        intake.take(&mut state);
        state.guarded(Shard::run_timers);
        state.guarded(|state| state.flush(intake));
        // Readers first: a session may have ended in the round it began in, and parting with a
        // stream stops its reader.
        for (key, link, source) in std::mem::take(&mut state.new_readers) {
            self.start_reader(&mut state, key, link, source);
        }
        for task in std::mem::take(&mut state.ctx.tasks) {
            self.start(&mut state, task);
        }
        state.ctx.flush_events();
        state.ctx.hurry = false;
        for barrier in intake.barriers.drain(..) {
            barrier.reach();
        }
    }

    fn start(&self, state: &mut Shard, task: Task) {
        match task {
            #[cfg(unix)]
            Task::WatchWrites { key, link, fd } => {
                let task = tokio::task::spawn_local(self.clone().watch_writes(key, link, fd));
                state.watch(link, task.abort_handle());
            }
            Task::Linger { port, handle, ws, wait } => {
                let link = ws.link;
                for watcher in state.watchers.remove(&link).into_iter().flatten() {
                    watcher.abort();
                }
                let shared = self.clone();
                let task = tokio::task::spawn_local(async move {
                    let farewell = linger(ws, wait);
                    let _ = tokio::time::timeout(config::CLOSE_HANDSHAKE_TIMEOUT, farewell).await;
                });
                state.lingering.insert(link, task.abort_handle());
                tokio::task::spawn_local(async move {
                    // Ends when the task above is done or aborted; its stream is closed by then.
                    let _ = task.await;
                    let mut state = shared.state.borrow_mut();
                    state.lingering.remove(&link);
                    state.ctx.events(port).stream_gone(handle, link);
                    drop(state);
                    shared.queue.wake();
                });
            }
        }
    }

    #[cfg(unix)]
    fn start_reader(&self, state: &mut Shard, key: u32, link: u32, source: Source) {
        let task = tokio::task::spawn_local(self.clone().read(key, link, source));
        state.watch(link, task.abort_handle());
    }

    #[cfg(not(unix))]
    fn start_reader(&self, _: &mut Shard, _: u32, _: u32, source: Source) {
        match source {}
    }
}

#[cfg(not(unix))]
async fn linger(_ws: WebSocket, _wait: bool) {}
