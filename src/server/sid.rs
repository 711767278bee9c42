//! Makes the ids of sessions: what nobody can guess, in the length and alphabet that sticky
//! balancers and adapters rely on.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustix::rand::{GetRandomFlags, getrandom};

use crate::shard::Sid;

/// Takes random bytes from the system, many at a time.
#[derive(Debug)]
pub struct Sids {
    pool: Vec<u8>,
}

impl Sids {
    /// A generator that has taken nothing yet.
    pub fn new() -> Self {
        Self { pool: Vec::new() }
    }

    /// The next id, or nothing when the system has no random bytes to give.
    pub fn next(&mut self) -> Option<Sid> {
        if self.pool.len() < SID_BYTES {
            self.refill()?;
        }
        let at = self.pool.len() - SID_BYTES;
        let mut sid = [0; 20];
        let written = URL_SAFE_NO_PAD.encode_slice(self.pool.get(at..)?, &mut sid);
        // Random bytes that became a secret do not stay around.
        self.pool.get_mut(at..)?.fill(0);
        self.pool.truncate(at);
        (written == Ok(sid.len())).then_some(sid)
    }

    fn refill(&mut self) -> Option<()> {
        let mut pool = vec![0; POOL_BYTES];
        let mut filled = 0;
        while filled < POOL_BYTES {
            match getrandom(pool.get_mut(filled..)?, GetRandomFlags::empty()) {
                Ok(count) => filled += count,
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return None,
            }
        }
        self.pool = pool;
        Some(())
    }
}

/// 120 bits: 20 characters of six.
const SID_BYTES: usize = 15;
const POOL_BYTES: usize = SID_BYTES * 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_of_the_known_alphabet_and_do_not_repeat() {
        let mut sids = Sids::new();
        let mut seen = std::collections::HashSet::new();
        for _ in 0..1_000 {
            let sid = sids.next().expect("random bytes");
            assert!(sid.iter().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_')));
            assert!(seen.insert(sid));
        }
    }
}
