//! The room index of a shard, and a broadcast through a whole shard:
//! `npm run bench:core -- --bench rooms`.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use ferrio::shard::{MemberId, RoomId, RoomIndex};
use traffic::{Fleet, event, frame_of};

const SIZES: [u32; 3] = [10, 1_000, 100_000];
const NAMESPACE: RoomId = 1;
/// All are in this room, each second one in the next, each tenth in the last.
const ALL: RoomId = 2;
const HALF: RoomId = 3;
const TENTH: RoomId = 4;

fn main() {
    divan::main();
}

fn populated(count: u32) -> (RoomIndex, Vec<MemberId>) {
    let mut index = RoomIndex::default();
    let members = (0..count).map(|session| {
        let member = index.add(session);
        index.connect(member, NAMESPACE);
        index.join(member, ALL);
        for (room, every) in [(HALF, 2), (TENTH, 10)] {
            if session % every == 0 {
                index.join(member, room);
            }
        }
        member
    });
    let members = members.collect();
    (index, members)
}

/// One member leaves a room of so many, and joins it again.
#[divan::bench(args = SIZES)]
fn leave_and_join(bencher: Bencher, count: u32) {
    let (mut index, members) = populated(count);
    let mut members = members.iter().cycle();
    bencher.bench_local(|| {
        let member = *members.next().unwrap_or(&0);
        index.leave(member, black_box(ALL));
        index.join(member, black_box(ALL));
    });
}

/// A connection with its rooms comes and goes.
#[divan::bench(args = SIZES)]
fn connect_and_remove(bencher: Bencher, count: u32) {
    let (mut index, _) = populated(count);
    bencher.bench_local(|| {
        let member = index.add(black_box(count));
        index.connect(member, NAMESPACE);
        index.join(member, ALL);
        index.remove(member);
    });
}

/// Who is in one room.
#[divan::bench(args = SIZES)]
fn recipients(bencher: Bencher, count: u32) {
    find(bencher, count, &[ALL], &[]);
}

/// Who is in one of two rooms and not in a third.
#[divan::bench(args = SIZES)]
fn recipients_of_two_rooms_except(bencher: Bencher, count: u32) {
    find(bencher, count, &[ALL, HALF], &[TENTH]);
}

fn find(bencher: Bencher, count: u32, rooms: &[RoomId], except: &[RoomId]) {
    let (mut index, _) = populated(count);
    bencher.counter(ItemsCount::new(count)).bench_local(|| {
        let mut found = 0;
        index.recipients(NAMESPACE, black_box(rooms), except, |session| {
            black_box(session);
            found += 1;
        });
        found
    });
}

/// A broadcast through the shard's thread into sockets, which are read.
#[divan::bench(args = [1, 10, 200])]
fn broadcast(bencher: Bencher, count: usize) {
    let mut fleet = Fleet::new(count);
    let text = event(64);
    let mut frame = vec![0; frame_of(&text)];
    bencher.counter(ItemsCount::new(count)).bench_local(|| {
        fleet.broadcast(black_box(&text));
        fleet.read(&mut frame);
    });
}
