//! Answers that were given and are not yet with the kernel. Connections of the listener write theirs
//! after the round that has made them; a process that is about to exit waits for them.

use std::time::Instant;

use parking_lot::{Condvar, Mutex};

/// One answer that somebody has to write. Dropped when that is done, or cannot be.
#[derive(Debug)]
pub struct Owed(());

static COUNT: Mutex<usize> = Mutex::new(0);
static PAID: Condvar = Condvar::new();

impl Owed {
    /// Counts one more.
    pub fn one() -> Self {
        *COUNT.lock() += 1;
        Self(())
    }

    /// Waits until nothing is owed, or it is too late.
    pub fn wait_for_all(deadline: Instant) {
        let limit = deadline.saturating_duration_since(Instant::now());
        PAID.wait_while_for(&mut COUNT.lock(), |count| *count > 0, limit);
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        let mut count = COUNT.lock();
        *count -= 1;
        if *count == 0 {
            PAID.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn who_waits_goes_on_when_all_is_paid_or_time_is_up() {
        let owed = Owed::one();
        Owed::wait_for_all(Instant::now() + Duration::from_millis(5));
        let other = std::thread::spawn(move || drop(owed));
        Owed::wait_for_all(Instant::now() + Duration::from_secs(60));
        other.join().expect("no panic");
    }
}
