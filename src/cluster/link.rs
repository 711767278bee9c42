//! The connections to a Redis server, on a thread of their own: one that publishes and one that
//! subscribes. Lost ones are made again, with growing pauses.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use futures_util::StreamExt;
use parking_lot::Mutex;
use redis::aio::{MultiplexedConnection, PubSubSink, PubSubStream};
use redis::{ErrorKind, RedisResult, ServerErrorKind};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

use super::adapter::Adapter;
use super::endpoint::{Connected, Endpoint, within};

/// What JavaScript asks of a link.
#[derive(Debug)]
#[allow(missing_docs, reason = "the fields say it")]
pub enum Order {
    /// Send a message to other servers.
    Publish { channel: String, payload: Vec<u8> },
    /// Listen for an adapter.
    Add(Arc<Adapter>),
    /// Stop listening for it.
    Remove(Arc<Adapter>),
    /// Count the servers that listen to a channel.
    Count { channel: String, request: u32 },
    /// End both connections.
    Close,
}

/// What a link tells JavaScript.
#[derive(Debug)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// The adapter or the request that it is about.
    pub number: u32,
    /// The channel, or the description of an error.
    pub text: String,
    /// The payload.
    pub data: Vec<u8>,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// A broadcast that JavaScript has to decode.
    Broadcast,
    /// A request or a response.
    Request,
    /// Both connections stand, and the adapter's subscriptions are made.
    Ready,
    /// A connection failed or could not be made; it is tried again.
    Error,
    /// The answer to `Order::Count`: `data` is the number in decimal digits, or `text` what Redis has
    /// against it.
    Count,
    /// `Order::Close` was followed: what was ordered before is on its way.
    Closed,
}

/// Several servers of a process may share a link, and each has an adapter for the same namespace.
type Adapters = Mutex<FxHashMap<String, SmallVec<[Arc<Adapter>; 1]>>>;

/// A pair of connections. Dropping it ends them.
#[derive(Debug)]
pub struct RedisLink {
    orders: UnboundedSender<Order>,
    /// Bytes that wait to be published.
    waiting: Arc<AtomicUsize>,
    outbox: Arc<Outbox>,
}

impl RedisLink {
    /// Connects. `wake` is called when events wait.
    pub fn open(
        endpoint: Endpoint,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        let (orders, received) = unbounded_channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let outbox = Arc::new(Outbox { events: Mutex::default(), wake: Box::new(wake) });
        let failures = outbox.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut worker = Worker {
            endpoint,
            orders: received,
            taken: VecDeque::new(),
            waiting: waiting.clone(),
            outbox: outbox.clone(),
            adapters: Adapters::default(),
        };
        thread::Builder::new().name("ferrio-redis".into()).spawn(move || {
            let mut work = || runtime.block_on(worker.run());
            while std::panic::catch_unwind(AssertUnwindSafe(&mut work)).is_err() {
                // The panic hook has reported it. What was read or written is lost.
                failures.tell(EventKind::Error, 0, "internal error", vec![]);
                thread::sleep(MAX_PAUSE);
            }
            failures.tell(EventKind::Closed, 0, "", vec![]);
        })?;
        Ok(Self { orders, waiting, outbox })
    }

    /// Gives an order. False when too much waits already: a message to publish is dropped then.
    pub fn order(&self, order: Order) -> bool {
        if let Order::Publish { payload, .. } = &order {
            let waiting = self.waiting.fetch_add(payload.len(), Ordering::Relaxed);
            if waiting > 0 && waiting + payload.len() > MAX_WAITING {
                self.waiting.fetch_sub(payload.len(), Ordering::Relaxed);
                return false;
            }
        }
        // It fails only after the end, when nobody cares any more.
        let _ = self.orders.send(order);
        true
    }

    /// The events that wait.
    pub fn drain(&self) -> Vec<Event> {
        std::mem::take(&mut *self.outbox.events.lock()).list
    }
}

impl Drop for RedisLink {
    fn drop(&mut self) {
        let _ = self.orders.send(Order::Close);
    }
}

/// Events on their way to JavaScript.
struct Outbox {
    events: Mutex<Events>,
    wake: Box<dyn Fn() + Send + Sync>,
}

#[derive(Default)]
struct Events {
    list: Vec<Event>,
    bytes: usize,
    /// Some were dropped since the last drain.
    lossy: bool,
}

impl std::fmt::Debug for Outbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Outbox")
    }
}

impl Outbox {
    /// False when the event was dropped.
    fn push(&self, event: Event) -> bool {
        let mut is_taken = true;
        let is_first = {
            let mut events = self.events.lock();
            let is_first = events.list.is_empty();
            // One message may be as large as it likes. What the link itself has to say is small.
            let is_message = matches!(event.kind, EventKind::Broadcast | EventKind::Request);
            if !is_message || events.bytes == 0 || events.bytes + event.data.len() <= MAX_WAITING {
                events.bytes += event.data.len();
                events.list.push(event);
            } else {
                is_taken = false;
                if !events.lossy {
                    events.lossy = true;
                    let text =
                        "messages were dropped: the JavaScript thread is too far behind".into();
                    let data = Vec::new();
                    events.list.push(Event { kind: EventKind::Error, number: 0, text, data });
                }
            }
            is_first
        };
        if is_first {
            (self.wake)();
        }
        is_taken
    }

    fn tell(&self, kind: EventKind, number: u32, text: impl Into<String>, data: Vec<u8>) -> bool {
        self.push(Event { kind, number, text: text.into(), data })
    }
}

struct Worker {
    endpoint: Endpoint,
    orders: UnboundedReceiver<Order>,
    /// Orders that were taken and not followed yet. They outlive a connection.
    taken: VecDeque<Order>,
    waiting: Arc<AtomicUsize>,
    outbox: Arc<Outbox>,
    /// By pattern or channel.
    adapters: Adapters,
}

impl Worker {
    async fn run(&mut self) {
        let mut pause = MIN_PAUSE;
        loop {
            match self.connect().await {
                Ok((publisher, mut driver, sink, stream)) => {
                    pause = MIN_PAUSE;
                    for adapter in self.known() {
                        self.outbox.tell(EventKind::Ready, adapter.id, "", vec![]);
                    }
                    let ended = {
                        let Self { endpoint, orders, taken, waiting, outbox, adapters } = self;
                        let writer =
                            Writer { endpoint, taken, waiting, outbox, adapters, publisher, sink };
                        tokio::select! {
                            ended = writer.run(orders) => ended,
                            () = read(outbox, adapters, stream) => Err(lost()),
                            // It is only written to: nobody else would notice that it has gone.
                            _ = &mut driver => Err(lost()),
                        }
                    };
                    match ended {
                        Ok(()) => return,
                        Err(error) => self.fail(&error),
                    }
                }
                Err(error) => self.fail(&error),
            }
            tokio::select! {
                () = sleep(pause) => {}
                () = self.wait_for_close() => {}
            }
            pause = (pause * 2).min(MAX_PAUSE);
            // Without anybody left to order anything there is no reason to try again.
            self.take_orders();
            if self.taken.iter().any(|order| matches!(order, Order::Close)) {
                return;
            }
        }
    }

    fn fail(&self, error: &redis::RedisError) {
        self.outbox.tell(EventKind::Error, 0, error.to_string(), vec![]);
    }

    /// Completes when nobody needs the link any more.
    async fn wait_for_close(&mut self) {
        loop {
            let order = self.orders.recv().await.unwrap_or(Order::Close);
            let is_close = matches!(order, Order::Close);
            self.taken.push_back(order);
            if is_close {
                return;
            }
        }
    }

    fn take_orders(&mut self) {
        while let Ok(order) = self.orders.try_recv() {
            self.taken.push_back(order);
        }
    }

    async fn connect(
        &mut self,
    ) -> RedisResult<(MultiplexedConnection, JoinHandle<()>, PubSubSink, PubSubStream)> {
        let Connected { publisher, driver, subscriber } = self.endpoint.connect().await?;
        let (mut sink, stream) = subscriber.split();
        // Whoever waits for the connection is among those that it is made for.
        self.take_orders();
        self.taken.retain(|order| match order {
            Order::Add(adapter) => {
                add(&self.adapters, adapter);
                false
            }
            _ => true,
        });
        for adapter in self.known() {
            within(subscribe(&mut sink, &adapter)).await?;
        }
        Ok((publisher, driver, sink, stream))
    }

    /// All adapters.
    fn known(&self) -> Vec<Arc<Adapter>> {
        let mut adapters: Vec<_> = self.adapters.lock().values().flatten().cloned().collect();
        adapters.sort_unstable_by_key(|adapter| adapter.id);
        adapters.dedup_by_key(|adapter| adapter.id);
        adapters
    }
}

async fn read(outbox: &Outbox, adapters: &Adapters, mut stream: PubSubStream) {
    while let Some(message) = stream.next().await {
        let channel = message.get_channel_name();
        let payload = message.get_payload_bytes();
        if message.from_pattern() {
            let pattern: String = message.get_pattern().unwrap_or_default();
            let concerned = adapters.lock().get(&pattern).cloned();
            for adapter in concerned.into_iter().flatten() {
                if !adapter.receive(channel, payload) {
                    hand_over(outbox, &adapter, EventKind::Broadcast, channel, payload);
                }
            }
        } else {
            let concerned = adapters.lock().get(channel).cloned();
            for adapter in concerned.into_iter().flatten() {
                hand_over(outbox, &adapter, EventKind::Request, channel, payload);
            }
        }
    }
}

fn hand_over(outbox: &Outbox, adapter: &Adapter, kind: EventKind, channel: &str, payload: &[u8]) {
    adapter.hand_over();
    if !outbox.tell(kind, adapter.id, channel, payload.to_vec()) {
        adapter.settle();
    }
}

/// Follows orders over one pair of connections.
struct Writer<'a> {
    endpoint: &'a Endpoint,
    taken: &'a mut VecDeque<Order>,
    waiting: &'a AtomicUsize,
    outbox: &'a Outbox,
    adapters: &'a Adapters,
    publisher: MultiplexedConnection,
    sink: PubSubSink,
}

impl Writer<'_> {
    /// Ends with the last order (`Ok`) or with a failure, after which what is left waits for the next
    /// connection.
    async fn run(mut self, orders: &mut UnboundedReceiver<Order>) -> RedisResult<()> {
        let mut batch = Vec::new();
        let mut next_ping = Instant::now() + PING_INTERVAL;
        loop {
            if self.taken.is_empty() {
                tokio::select! {
                    count = orders.recv_many(&mut batch, MAX_BATCH) => {
                        if count == 0 {
                            return Ok(());
                        }
                    }
                    () = sleep_until(next_ping) => {}
                }
                self.taken.extend(batch.drain(..));
            }
            // Whether or not there is something to publish: that goes over the other connection.
            if Instant::now() >= next_ping {
                self.ping().await?;
                next_ping = Instant::now() + PING_INTERVAL;
            }
            self.publish().await?;
            match self.taken.pop_front() {
                Some(Order::Close) => return Ok(()),
                // One that fails is not tried again: the next connection knows the adapters, and a
                // question has a time limit.
                Some(order) => self.follow(order).await?,
                None => {}
            }
        }
    }

    /// A connection that is only listened to does not notice that it is dead.
    async fn ping(&mut self) -> RedisResult<()> {
        alive(within(self.sink.ping::<()>()).await)?;
        alive(self.endpoint.check(&mut self.publisher).await)
    }

    /// Sends the messages that come first, together. Nobody could tell which of them have arrived
    /// when this fails, so they are not sent again.
    async fn publish(&mut self) -> RedisResult<()> {
        let mut pipeline = redis::pipe();
        while let Some(Order::Publish { .. }) = self.taken.front() {
            if let Some(Order::Publish { channel, payload }) = self.taken.pop_front() {
                self.waiting.fetch_sub(payload.len(), Ordering::Relaxed);
                pipeline.cmd("PUBLISH").arg(channel).arg(payload).ignore();
            }
        }
        if pipeline.is_empty() {
            return Ok(());
        }
        match pipeline.exec_async(&mut self.publisher).await {
            Err(error) if is_refusal(&error) => {
                self.outbox.tell(EventKind::Error, 0, error.to_string(), vec![]);
                Ok(())
            }
            sent => sent,
        }
    }

    async fn follow(&mut self, order: Order) -> RedisResult<()> {
        match order {
            Order::Add(adapter) => {
                add(self.adapters, &adapter);
                within(subscribe(&mut self.sink, &adapter)).await?;
                self.outbox.tell(EventKind::Ready, adapter.id, "", vec![]);
                Ok(())
            }
            Order::Remove(adapter) => {
                let mut left = Vec::new();
                self.adapters.lock().retain(|name, adapters| {
                    adapters.retain(|other| other.id != adapter.id);
                    if adapters.is_empty() {
                        left.push(name.clone());
                    }
                    !adapters.is_empty()
                });
                // Other servers of the process may listen to the same.
                let pattern = pattern(&adapter);
                if left.contains(&pattern) {
                    within(self.sink.punsubscribe(&pattern)).await?;
                }
                left.retain(|name| *name != pattern);
                if left.is_empty() { Ok(()) } else { within(self.sink.unsubscribe(&left)).await }
            }
            Order::Count { channel, request } => {
                let counted: RedisResult<(String, u64)> = redis::cmd("PUBSUB")
                    .arg("NUMSUB")
                    .arg(channel)
                    .query_async(&mut self.publisher)
                    .await;
                match counted {
                    Ok((_, count)) => {
                        let digits = count.to_string().into_bytes();
                        self.outbox.tell(EventKind::Count, request, "", digits);
                        Ok(())
                    }
                    Err(error) if is_refusal(&error) => {
                        self.outbox.tell(EventKind::Count, request, error.to_string(), vec![]);
                        Ok(())
                    }
                    Err(error) => Err(error),
                }
            }
            // These are seen to by `run`.
            Order::Publish { .. } | Order::Close => Ok(()),
        }
    }
}

fn add(adapters: &Adapters, adapter: &Arc<Adapter>) {
    let mut adapters = adapters.lock();
    for name in names(adapter) {
        adapters.entry(name).or_default().push(adapter.clone());
    }
}

async fn subscribe(sink: &mut PubSubSink, adapter: &Adapter) -> RedisResult<()> {
    sink.psubscribe(pattern(adapter)).await?;
    sink.subscribe(&adapter.others).await
}

fn pattern(adapter: &Adapter) -> String {
    format!("{}*", adapter.channel)
}

fn names(adapter: &Adapter) -> impl Iterator<Item = String> + '_ {
    std::iter::once(pattern(adapter)).chain(adapter.others.iter().cloned())
}

/// True for what Redis answers to a user who may not give a command: it is there and answers. Other
/// errors may mean that it has ended the connection.
fn is_refusal(error: &redis::RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm)
}

/// A command that was refused shows that the connection is alive.
fn alive(result: RedisResult<()>) -> RedisResult<()> {
    match result {
        Err(error) if is_refusal(&error) => Ok(()),
        result => result,
    }
}

fn lost() -> redis::RedisError {
    std::io::Error::new(std::io::ErrorKind::ConnectionReset, "the connection was lost").into()
}

/// Bytes that may wait in either direction.
const MAX_WAITING: usize = 64 << 20;
/// Orders that are followed in one go.
const MAX_BATCH: usize = 256;
const MIN_PAUSE: Duration = Duration::from_millis(50);
const MAX_PAUSE: Duration = Duration::from_secs(2);
const PING_INTERVAL: Duration = Duration::from_secs(5);
