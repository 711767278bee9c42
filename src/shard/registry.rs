//! Sids of the sessions that the listener has opened: where a request that names one has to go.
//! An entry goes when its session closes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use super::pool::SessionRef;

/// The secret id of a session, as it travels.
pub type Sid = [u8; 20];

/// The sessions of one engine by sid.
#[derive(Debug, Default)]
pub struct Registry {
    sessions: Mutex<FxHashMap<Sid, Arc<Known>>>,
}

/// A session that requests may name.
#[derive(Debug)]
pub struct Known {
    /// Where it lives.
    pub session: SessionRef,
    posting: AtomicBool,
    leaving: Mutex<Leaving>,
}

/// Answers to GETs that are written, and their bytes.
#[derive(Debug, Default, Clone, Copy)]
struct Leaving {
    answers: usize,
    bytes: usize,
}

/// Counts as an answer that is written while it lives.
#[derive(Debug)]
pub struct Answering<'a> {
    known: &'a Known,
    bytes: usize,
}

/// A session's place in the registry, until it is dropped.
#[derive(Debug)]
pub struct Registration {
    registry: Arc<Registry>,
    sid: Sid,
}

impl Registry {
    /// Adds a session.
    pub fn add(self: &Arc<Self>, sid: Sid, session: SessionRef) -> Registration {
        let known = Known { session, posting: AtomicBool::new(false), leaving: Mutex::default() };
        self.sessions.lock().insert(sid, Arc::new(known));
        Registration { registry: self.clone(), sid }
    }

    /// The session with that sid.
    pub fn find(&self, sid: &Sid) -> Option<Arc<Known>> {
        self.sessions.lock().get(sid).cloned()
    }
}

impl Known {
    /// Notes that a POST is read. False while another one is.
    pub fn begin_post(&self) -> bool {
        !self.posting.swap(true, Ordering::AcqRel)
    }

    /// The POST was answered or given up.
    pub fn end_post(&self) {
        self.posting.store(false, Ordering::Release);
    }
}

impl Known {
    /// Notes that an answer of so many bytes is written.
    pub fn begin_answer(&self, bytes: usize) -> Answering<'_> {
        let mut leaving = self.leaving.lock();
        leaving.answers += 1;
        leaving.bytes += bytes;
        Answering { known: self, bytes }
    }

    /// Bytes of earlier answers that a client has not read which asks for more. Nothing for one answer: its
    /// last bytes may have gone this moment.
    pub fn unread(&self) -> usize {
        let leaving = *self.leaving.lock();
        if leaving.answers > 1 { leaving.bytes } else { 0 }
    }
}

impl Drop for Answering<'_> {
    fn drop(&mut self) {
        let mut leaving = self.known.leaving.lock();
        leaving.answers -= 1;
        leaving.bytes -= self.bytes;
    }
}

impl Registration {
    /// True for the session that `sid` names: its slot may have been given to another meanwhile.
    pub fn is_for(&self, sid: &Sid) -> bool {
        self.sid == *sid
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.registry.sessions.lock().remove(&self.sid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sid_is_known_as_long_as_its_registration_lives() {
        let registry = Arc::new(Registry::default());
        let session = SessionRef { shard: 0, key: 7 };
        let registration = registry.add([b'a'; 20], session);
        assert!(registration.is_for(&[b'a'; 20]));
        assert_eq!(registry.find(&[b'a'; 20]).map(|known| known.session), Some(session));
        drop(registration);
        assert!(registry.find(&[b'a'; 20]).is_none());
    }

    #[test]
    fn answers_that_nobody_reads_add_up() {
        let registry = Arc::new(Registry::default());
        let _registration = registry.add([b'a'; 20], SessionRef { shard: 0, key: 7 });
        let known = registry.find(&[b'a'; 20]).expect("it was added");
        let first = known.begin_answer(5);
        assert_eq!(known.unread(), 0);
        let second = known.begin_answer(7);
        assert_eq!(known.unread(), 12);
        drop(first);
        assert_eq!(known.unread(), 0);
        drop(second);
        assert_eq!(known.unread(), 0);
    }

    #[test]
    fn one_post_at_a_time() {
        let registry = Arc::new(Registry::default());
        let _registration = registry.add([b'a'; 20], SessionRef { shard: 0, key: 7 });
        let known = registry.find(&[b'a'; 20]).expect("it was added");
        assert!(known.begin_post());
        assert!(!known.begin_post());
        known.end_post();
        assert!(known.begin_post());
    }
}
