//! Who is in which room, for fan-out on one shard. Namespaces are rooms too: joined at connect,
//! left at disconnect.
//!
//! Members and rooms point at each other's positions, so joining and leaving cost the same in a
//! room of ten and of ten thousand.

use rustc_hash::FxHashMap;
use slab::Slab;
use smallvec::SmallVec;

/// Id of a room or namespace, given by JavaScript.
pub type RoomId = u64;
/// Id of a member within one index.
pub type MemberId = u32;

/// The rooms of one shard.
#[derive(Debug, Default)]
pub struct RoomIndex {
    members: Slab<Member>,
    rooms: FxHashMap<RoomId, Seats>,
    /// Number of the current fan-out; marks who was seen in it.
    round: u64,
}

/// One socket: a session in one namespace.
#[derive(Debug)]
struct Member {
    session: u32,
    /// It hears what is sent to its namespace and its rooms.
    is_connected: bool,
    namespace: RoomId,
    places: SmallVec<[Place; 1]>,
    seen: u64,
}

/// The members of a room. Most sockets are in few rooms, and many rooms have few members.
type Seats = SmallVec<[Seat; 1]>;

/// A member's side of a membership.
#[derive(Debug, Clone, Copy)]
struct Place {
    room: RoomId,
    seat: u32,
}

/// A room's side of a membership.
#[derive(Debug, Clone, Copy)]
struct Seat {
    member: MemberId,
    place: u32,
}

impl RoomIndex {
    /// Adds a socket. It receives nothing until `connect`.
    pub fn add(&mut self, session: u32) -> MemberId {
        let places = SmallVec::new();
        let member = Member { session, is_connected: false, namespace: 0, places, seen: 0 };
        position(self.members.insert(member))
    }

    /// From now on the socket is a recipient in `namespace` and in its rooms.
    pub fn connect(&mut self, member: MemberId, namespace: RoomId) {
        if let Some(entry) = self.members.get_mut(member as usize) {
            entry.is_connected = true;
            entry.namespace = namespace;
            self.join(member, namespace);
        }
    }

    /// Adds the socket to a room.
    pub fn join(&mut self, member: MemberId, room: RoomId) {
        let Some(entry) = self.members.get_mut(member as usize) else { return };
        if entry.places.iter().any(|place| place.room == room) {
            return;
        }
        let seats = self.rooms.entry(room).or_default();
        let place = position(entry.places.len());
        entry.places.push(Place { room, seat: position(seats.len()) });
        seats.push(Seat { member, place });
    }

    /// Takes the socket out of a room.
    pub fn leave(&mut self, member: MemberId, room: RoomId) {
        let Some(entry) = self.members.get_mut(member as usize) else { return };
        if let Some(place) = entry.places.iter().position(|place| place.room == room) {
            self.unseat(member, place);
        }
    }

    /// Removes the socket from everything.
    pub fn remove(&mut self, member: MemberId) {
        let id = member as usize;
        while let Some(last) = self.members.get(id).and_then(|m| m.places.len().checked_sub(1)) {
            self.unseat(member, last);
        }
        if self.members.contains(id) {
            self.members.remove(id);
        }
    }

    /// Calls `visit` with the session of every socket that is in `namespace` and in one of `rooms`
    /// (in all of the namespace when there are none) and in none of `except`; once each.
    pub fn recipients(
        &mut self,
        namespace: RoomId,
        rooms: &[RoomId],
        except: &[RoomId],
        mut visit: impl FnMut(u32),
    ) {
        self.round += 1;
        let round = self.round;
        let Self { members, rooms: index, .. } = self;
        for seat in except.iter().filter_map(|room| index.get(room)).flatten() {
            if let Some(member) = members.get_mut(seat.member as usize) {
                member.seen = round;
            }
        }
        let all = [namespace];
        let targets = if rooms.is_empty() { &all[..] } else { rooms };
        for seat in targets.iter().filter_map(|room| index.get(room)).flatten() {
            if let Some(member) = members.get_mut(seat.member as usize)
                && member.seen != round
                && member.is_connected
                && member.namespace == namespace
            {
                member.seen = round;
                visit(member.session);
            }
        }
    }

    /// True when nobody is left: everything was freed.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty() && self.rooms.is_empty()
    }

    /// Removes one membership; the last ones of both lists move into the gaps.
    fn unseat(&mut self, member: MemberId, place: usize) {
        let Some(entry) = self.members.get_mut(member as usize) else { return };
        if place >= entry.places.len() {
            return;
        }
        let Place { room, seat } = entry.places.swap_remove(place);
        let moved_place = entry.places.get(place).copied();
        if let Some(moved) = moved_place
            && let Some(other) =
                self.rooms.get_mut(&moved.room).and_then(|s| s.get_mut(moved.seat as usize))
        {
            other.place = position(place);
        }
        let Some(seats) = self.rooms.get_mut(&room) else { return };
        let index = seat as usize;
        if index < seats.len() {
            seats.swap_remove(index);
        }
        match seats.get(index).copied() {
            Some(moved) => {
                let other = self.members.get_mut(moved.member as usize);
                if let Some(other) = other.and_then(|m| m.places.get_mut(moved.place as usize)) {
                    other.seat = seat;
                }
            }
            None if seats.is_empty() => {
                self.rooms.remove(&room);
            }
            None => {}
        }
    }
}

/// A position in a list of members, rooms or seats: there are fewer than 2^32 of each.
fn position(index: usize) -> u32 {
    index as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    const NSP: RoomId = 1000;

    fn targets(index: &mut RoomIndex, rooms: &[RoomId], except: &[RoomId]) -> Vec<u32> {
        let mut found = Vec::new();
        index.recipients(NSP, rooms, except, |session| found.push(session));
        found.sort_unstable();
        found
    }

    #[test]
    fn a_socket_in_two_rooms_is_visited_once_and_not_when_excepted() {
        let mut index = RoomIndex::default();
        let a = index.add(1);
        let b = index.add(2);
        for (member, rooms) in [(a, vec![1, 2]), (b, vec![2])] {
            index.connect(member, NSP);
            rooms.into_iter().for_each(|room| index.join(member, room));
        }
        assert_eq!(targets(&mut index, &[1, 2], &[]), [1, 2]);
        assert_eq!(targets(&mut index, &[], &[1]), [2]);
        assert_eq!(targets(&mut index, &[1], &[2]), [] as [u32; 0]);
    }

    #[test]
    fn a_socket_that_is_not_connected_yet_receives_nothing() {
        let mut index = RoomIndex::default();
        let a = index.add(1);
        index.join(a, 5);
        assert_eq!(targets(&mut index, &[5], &[]), [] as [u32; 0]);
        index.connect(a, NSP);
        assert_eq!(targets(&mut index, &[5], &[]), [1]);
    }

    proptest! {
        #[test]
        fn the_index_agrees_with_plain_sets(
            ops in proptest::collection::vec((0u8..4, 0u32..8, 0u64..6), 1..200),
            rooms in proptest::collection::vec(0u64..6, 0..3),
            except in proptest::collection::vec(0u64..6, 0..3),
        ) {
            let mut index = RoomIndex::default();
            let mut ids = BTreeMap::new();
            let mut model: BTreeMap<u32, BTreeSet<RoomId>> = BTreeMap::new();
            for (op, session, room) in ops {
                match op {
                    0 => {
                        let id = *ids.entry(session).or_insert_with(|| index.add(session));
                        model.entry(session).or_default();
                        index.connect(id, NSP);
                    }
                    1 => if let Some(id) = ids.get(&session) {
                        index.join(*id, room);
                        model.entry(session).or_default().insert(room);
                    },
                    2 => if let Some(id) = ids.get(&session) {
                        index.leave(*id, room);
                        model.entry(session).or_default().remove(&room);
                    },
                    _ => if let Some(id) = ids.remove(&session) {
                        index.remove(id);
                        model.remove(&session);
                    },
                }
            }
            let expected: Vec<u32> = model
                .iter()
                .filter(|(_, in_rooms)| rooms.is_empty() || rooms.iter().any(|r| in_rooms.contains(r)))
                .filter(|(_, in_rooms)| !except.iter().any(|r| in_rooms.contains(r)))
                .map(|(session, _)| *session)
                .collect();
            prop_assert_eq!(targets(&mut index, &rooms, &except), expected);
            for id in ids.into_values() {
                index.remove(id);
            }
            prop_assert!(index.is_empty());
        }
    }
}
