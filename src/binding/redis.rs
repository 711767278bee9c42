//! A link to Redis as JavaScript holds it.

use std::collections::HashMap;
use std::sync::Arc;

use napi::bindgen_prelude::*;
use napi::threadsafe_function::ThreadsafeFunctionCallMode;
use napi_derive::napi;

use super::core::Core;
use crate::cluster::{
    self, Adapter, Address, Endpoint, EventKind, Order, Sentinels, Tls, TlsSetup,
};
use crate::session::PortId;

/// Connections to a Redis server, shared by the adapters of all namespaces.
#[napi]
pub struct RedisLink {
    link: cluster::RedisLink,
    port: PortId,
    adapters: HashMap<u32, Arc<Adapter>>,
}

/// Something that a link has to say.
#[napi(object)]
pub struct RedisEvent {
    /// 0 broadcast, 1 request or response, 2 ready, 3 error, 4 count, 5 closed.
    pub kind: u32,
    /// The adapter, or the request that was to count.
    pub number: u32,
    /// The channel, or the description of an error.
    pub text: String,
    /// The payload, or the digits of a count.
    pub data: Buffer,
}

/// Where Redis is.
#[napi(object)]
pub struct RedisPlace {
    /// `redis://` or `unix://`, with the credentials.
    pub url: String,
    /// Speak TLS.
    pub tls: Option<RedisTls>,
    /// Ask these for the address.
    pub sentinels: Option<RedisSentinels>,
}

/// Who knows the address of a Redis server.
#[napi(object)]
pub struct RedisSentinels {
    /// What they call it.
    pub name: String,
    /// Where they are, as in `RedisPlace`.
    pub urls: Vec<String>,
    /// Speak TLS to them.
    pub tls: Option<RedisTls>,
}

/// How TLS is spoken to Redis: see `TlsSetup`.
#[napi(object)]
pub struct RedisTls {
    /// Whose certificates are believed, in DER.
    pub roots: Vec<Buffer>,
    /// Our certificate in DER, then those that it is signed by.
    pub chain: Vec<Buffer>,
    /// Its key, PKCS #8 in DER.
    pub key: Option<Buffer>,
    /// The name that the server's certificate has to be for.
    pub server_name: Option<String>,
    /// Otherwise any certificate will do.
    pub is_verified: bool,
}

#[napi]
impl Core {
    /// Connects to a Redis server. `wake` is called when `drain()` has something to return.
    #[napi(catch_unwind)]
    pub fn open_redis(&self, place: RedisPlace, wake: Function<'_, (), ()>) -> Result<RedisLink> {
        let endpoint = endpoint(place)?;
        let wake = wake
            .build_threadsafe_function::<()>()
            .weak::<true>()
            .callee_handled::<false>()
            .build()?;
        let link = cluster::RedisLink::open(endpoint, move || {
            wake.call((), ThreadsafeFunctionCallMode::NonBlocking);
        })?;
        Ok(RedisLink { link, port: self.port_id, adapters: HashMap::new() })
    }
}

#[napi]
impl RedisLink {
    /// Listens for an adapter.
    #[napi(catch_unwind)]
    pub fn add(
        &mut self,
        id: u32,
        uid: String,
        name: String,
        channel: String,
        others: Vec<String>,
    ) {
        let adapter = Arc::new(Adapter::new(id, self.port, uid, name, channel, others));
        self.adapters.insert(id, adapter.clone());
        self.order(Order::Add(adapter));
    }

    /// Stops listening for an adapter.
    #[napi(catch_unwind)]
    pub fn remove(&mut self, id: u32) {
        if let Some(adapter) = self.adapters.remove(&id) {
            adapter.set_direct(false);
            self.order(Order::Remove(adapter));
        }
    }

    /// Delivers broadcasts past JavaScript, or no longer.
    #[napi(catch_unwind)]
    pub fn set_direct(&self, id: u32, is_direct: bool) {
        if let Some(adapter) = self.adapters.get(&id) {
            adapter.set_direct(is_direct);
        }
    }

    /// A broadcast, request or response for the adapter was handled.
    #[napi(catch_unwind)]
    pub fn settle(&self, id: u32) {
        if let Some(adapter) = self.adapters.get(&id) {
            adapter.settle();
        }
    }

    /// The number of an adapter's namespace.
    #[napi(catch_unwind)]
    pub fn set_namespace(&self, id: u32, number: Option<u32>) {
        if let Some(adapter) = self.adapters.get(&id) {
            adapter.set_namespace(number);
        }
    }

    /// The number of a room; without one the room is gone.
    #[napi(catch_unwind)]
    pub fn set_room(&self, id: u32, name: String, number: Option<u32>) {
        if let Some(adapter) = self.adapters.get(&id) {
            adapter.set_room(name, number);
        }
    }

    /// Publishes. False when too much waits and the message was dropped.
    #[napi(catch_unwind)]
    pub fn publish(&self, channel: String, payload: &[u8]) -> bool {
        self.order(Order::Publish { channel, payload: payload.to_vec() })
    }

    /// Counts the servers that listen to a channel.
    #[napi(catch_unwind)]
    pub fn count(&self, channel: String, request: u32) {
        self.order(Order::Count { channel, request });
    }

    /// What has happened since the last call.
    #[napi(catch_unwind)]
    pub fn drain(&self) -> Vec<RedisEvent> {
        let events = self.link.drain();
        events
            .into_iter()
            .map(|event| RedisEvent {
                kind: match event.kind {
                    EventKind::Broadcast => 0,
                    EventKind::Request => 1,
                    EventKind::Ready => 2,
                    EventKind::Error => 3,
                    EventKind::Count => 4,
                    EventKind::Closed => 5,
                },
                number: event.number,
                text: event.text,
                data: event.data.into(),
            })
            .collect()
    }

    /// Ends the connections when what was ordered before is done; an event tells of it.
    #[napi(catch_unwind)]
    pub fn close(&self) {
        self.order(Order::Close);
    }
}

impl RedisLink {
    fn order(&self, order: Order) -> bool {
        self.link.order(order)
    }
}

fn endpoint(place: RedisPlace) -> Result<Endpoint> {
    let sentinels = match place.sentinels {
        None => None,
        Some(RedisSentinels { name, urls, tls }) => {
            let tls = secured(tls)?;
            let addresses =
                urls.iter().map(|url| address(url, tls.clone())).collect::<Result<_>>()?;
            Some(Sentinels { name, addresses })
        }
    };
    Ok(Endpoint::new(address(&place.url, secured(place.tls)?)?, sentinels))
}

fn address(url: &str, tls: Option<Tls>) -> Result<Address> {
    Address::new(url, tls).map_err(|error| Error::from_reason(error.to_string()))
}

fn secured(tls: Option<RedisTls>) -> Result<Option<Tls>> {
    let Some(RedisTls { roots, chain, key, server_name, is_verified }) = tls else {
        return Ok(None);
    };
    let setup = TlsSetup {
        roots: roots.into_iter().map(|der| der.to_vec()).collect(),
        chain: chain.into_iter().map(|der| der.to_vec()).collect(),
        key: key.map(|der| der.to_vec()),
        server_name,
        is_verified,
    };
    setup.build().map(Some).map_err(|error| Error::from_reason(error.to_string()))
}
