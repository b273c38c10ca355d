//! UPDATEs seen before, decoded. A route server says the same to hundreds of clients, in the same
//! order: where one client's octets continue as another's did, they are compared in one go, octet
//! by octet, and their prefixes are at hand without any decoding.

use std::hash::BuildHasher;
use std::ops::Range;

use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashTable};

use super::forms::FormId;
use crate::base::Prefix;

/// One prefix of a message: withdrawn if `form` is [`super::forms::NOTHING`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Change {
    pub prefix: u32,
    pub path_id: u32,
    pub form: FormId,
}

/// What an UPDATE says. Withdrawals come first (RFC 4271 §4.3: an announcement beside them wins).
#[derive(Default)]
pub struct Decoded {
    pub changes: Vec<Change>,
    pub withdrawn_count: usize,
    /// Prefixes that nobody announces here.
    pub foreign: Vec<(Prefix, FormId)>,
    pub is_end_of_rib: bool,
}

/// Where a message begins, and what came before it in all.
#[derive(Clone, Copy)]
struct Message {
    octets: usize,
    changes: u32,
    withdrawn: u32,
    /// The message that followed last time it was not the next one here.
    followed_by: u32,
}

const NONE: u32 = u32::MAX;

/// A message of the memory, or where one is expected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place(u32);

impl Place {
    pub const NOWHERE: Place = Place(NONE);
}

/// Messages in a row that were recognised.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stretch {
    pub octets_len: usize,
    pub message_count: usize,
    /// Of [`Memory::changes`].
    pub changes: Range<usize>,
    pub withdrawn_count: usize,
    /// The last of them.
    pub last: Place,
}

pub struct Memory {
    octets: Vec<u8>,
    changes: Vec<Change>,
    /// One more than there are messages.
    messages: Vec<Message>,
    index: HashTable<u32>,
    hasher: FixedState,
    /// Messages that have more than changes: looked at one at a time. Ascending.
    specials: Vec<u32>,
    foreign: HashMap<u32, Vec<(Prefix, FormId)>>,
    ends_of_rib: HashMap<u32, ()>,
}

impl Memory {
    pub fn new() -> Memory {
        Memory {
            octets: Vec::new(),
            changes: Vec::new(),
            messages: vec![Message {
                octets: 0,
                changes: 0,
                withdrawn: 0,
                followed_by: NONE,
            }],
            index: HashTable::new(),
            hasher: FixedState::default(),
            specials: Vec::new(),
            foreign: HashMap::new(),
            ends_of_rib: HashMap::new(),
        }
    }

    /// What it takes up, in octets.
    pub fn size(&self) -> usize {
        self.octets.len()
            + self.changes.len() * size_of::<Change>()
            + self.messages.len() * (size_of::<Message>() + 5)
    }

    pub fn changes(&self, range: Range<usize>) -> &[Change] {
        &self.changes[range]
    }

    pub fn foreign(&self, place: Place) -> &[(Prefix, FormId)] {
        self.foreign.get(&place.0).map_or(&[], Vec::as_slice)
    }

    pub fn is_end_of_rib(&self, place: Place) -> bool {
        self.ends_of_rib.contains_key(&place.0)
    }

    pub fn is_special(&self, place: Place) -> bool {
        self.specials.binary_search(&place.0).is_ok()
    }

    /// Remembers a whole message, header and all.
    pub fn add(&mut self, message: &[u8], decoded: Decoded) -> Place {
        let number = (self.messages.len() - 1) as u32;
        self.octets.extend_from_slice(message);
        self.changes.extend_from_slice(&decoded.changes);
        let foreign_withdrawn = decoded.withdrawn_count - withdrawn_count(&decoded.changes);
        let last = self.messages.last().expect("there is an end");
        if !decoded.foreign.is_empty() || decoded.is_end_of_rib {
            self.specials.push(number);
        }
        let withdrawn = last
            .withdrawn
            .wrapping_add((decoded.withdrawn_count - foreign_withdrawn) as u32);
        self.messages.push(Message {
            octets: self.octets.len(),
            changes: u32::try_from(self.changes.len()).expect("the size is bounded"),
            withdrawn,
            followed_by: NONE,
        });
        if !decoded.foreign.is_empty() {
            self.foreign.insert(number, decoded.foreign);
        }
        if decoded.is_end_of_rib {
            self.ends_of_rib.insert(number, ());
        }
        let (octets, messages, hasher) = (&self.octets, &self.messages, &self.hasher);
        self.index
            .insert_unique(hasher.hash_one(message), number, |&number| {
                hasher.hash_one(octets_of(octets, messages, number))
            });
        Place(number)
    }

    /// Looks a whole message up by its content.
    pub fn find(&self, message: &[u8]) -> Option<Place> {
        let is_it = |&number: &u32| octets_of(&self.octets, &self.messages, number) == message;
        self.index
            .find(self.hasher.hash_one(message), is_it)
            .map(|&number| Place(number))
    }

    /// Remembers what came after `place`, if it is not simply the next message.
    pub fn learn(&mut self, place: Place, followed_by: Place) {
        if place != Place::NOWHERE && followed_by.0 != place.0 + 1 {
            self.messages[place.0 as usize].followed_by = followed_by.0;
        }
    }

    pub fn one(&self, place: Place) -> Stretch {
        self.stretch(place.0, place.0 + 1)
    }

    /// The longest row of known messages, none of them special, that `octets` begin with and that
    /// another client got after the message `last`.
    pub fn follow(&self, last: Place, octets: &[u8]) -> Option<Stretch> {
        let last = self
            .messages
            .get(last.0 as usize)
            .map(|message| (last.0, message))?;
        let (number, message) = last;
        self.row(number + 1, octets)
            .or_else(|| self.row(message.followed_by, octets))
    }

    fn row(&self, first: u32, octets: &[u8]) -> Option<Stretch> {
        // The end of the memory is no message.
        let known = self.messages.get(first as usize..)?;
        let (start, rest) = known.split_first()?;
        let next_len = rest.first()?.octets - start.octets;
        let known_octets = &self.octets[start.octets..];
        if octets.len() < next_len || octets[..next_len] != known_octets[..next_len] {
            return None;
        }
        let end = start.octets + agreement(known_octets, octets);
        let whole = count_while(rest, |after| after.octets <= end) as u32;
        let special = self.specials.partition_point(|&number| number < first);
        let until = match self.specials.get(special) {
            Some(&special) => special.min(first + whole),
            None => first + whole,
        };
        (until > first).then(|| self.stretch(first, until))
    }

    fn stretch(&self, first: u32, end: u32) -> Stretch {
        let (from, to) = (&self.messages[first as usize], &self.messages[end as usize]);
        Stretch {
            octets_len: to.octets - from.octets,
            message_count: (end - first) as usize,
            changes: from.changes as usize..to.changes as usize,
            withdrawn_count: to.withdrawn.wrapping_sub(from.withdrawn) as usize,
            last: Place(end - 1),
        }
    }
}

fn withdrawn_count(changes: &[Change]) -> usize {
    let withdrawn = |change: &&Change| change.form == super::forms::NOTHING;
    changes.iter().filter(withdrawn).count()
}

fn octets_of<'a>(octets: &'a [u8], messages: &[Message], number: u32) -> &'a [u8] {
    &octets[messages[number as usize].octets..messages[number as usize + 1].octets]
}

/// How many `things` a condition is true of that is true of the first ones only: few are looked at.
fn count_while<T>(things: &[T], mut condition: impl FnMut(&T) -> bool) -> usize {
    let mut step = 1;
    while things.get(step - 1).is_some_and(&mut condition) {
        step *= 2;
    }
    let known = step / 2;
    known + things[known..things.len().min(step)].partition_point(condition)
}

/// How many octets `a` and `b` begin with in common.
fn agreement(a: &[u8], b: &[u8]) -> usize {
    const STEP: usize = 512;
    let len = a.len().min(b.len());
    let (a, b) = (&a[..len], &b[..len]);
    let steps = a.chunks(STEP).zip(b.chunks(STEP));
    let same = steps.take_while(|(a, b)| a == b).count() * STEP;
    if same >= len {
        return len;
    }
    let rest = a[same..].iter().zip(&b[same..]);
    same + rest.take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message that is as long as its number is large, and names as many prefixes.
    fn message(number: u32) -> (Vec<u8>, Decoded) {
        let octets = vec![number as u8; 30 + number as usize];
        let change = |prefix| Change {
            prefix,
            path_id: 0,
            form: number,
        };
        let decoded = Decoded {
            changes: (0..number).map(change).collect(),
            ..Decoded::default()
        };
        (octets, decoded)
    }

    fn memory(count: u32) -> Memory {
        let mut memory = Memory::new();
        for number in 0..count {
            let (octets, decoded) = message(number);
            memory.add(&octets, decoded);
        }
        memory
    }

    fn octets(numbers: &[u32]) -> Vec<u8> {
        numbers
            .iter()
            .flat_map(|&number| message(number).0)
            .collect()
    }

    #[test]
    fn a_row_ends_where_the_octets_differ_and_where_a_message_is_not_whole() {
        let memory = memory(9);
        let row = |numbers: &[u32], cut: usize| {
            let mut octets = octets(numbers);
            octets.truncate(octets.len() - cut);
            let last = memory.find(&message(2).0).unwrap();
            memory.follow(last, &octets).map(|stretch| {
                assert_eq!(memory.changes(stretch.changes.clone()).len(), {
                    let taken = numbers.iter().take(stretch.message_count);
                    taken.sum::<u32>() as usize
                });
                (stretch.message_count, stretch.octets_len)
            })
        };
        assert_eq!(row(&[3, 4, 5], 0), Some((3, 33 + 34 + 35)));
        assert_eq!(row(&[3, 4, 5], 1), Some((2, 33 + 34)));
        assert_eq!(row(&[3, 4, 6], 0), Some((2, 33 + 34)));
        assert_eq!(row(&[3], 1), None);
        assert_eq!(row(&[4], 0), None, "not the next");
        assert_eq!(row(&[3, 4, 5, 6, 7, 8, 0, 1], 0).map(|row| row.0), Some(6));
    }

    #[test]
    fn the_first_ones_are_counted() {
        for count in 0..40 {
            for len in count..40 {
                let things: Vec<usize> = (0..len).collect();
                assert_eq!(count_while(&things, |thing| *thing < count), count, "{len}");
            }
        }
    }

    #[test]
    fn one_octet_that_differs_is_seen_wherever_it_is() {
        let memory = memory(40);
        let whole = octets(&(1..40).collect::<Vec<_>>());
        let first = memory.find(&message(0).0).unwrap();
        for at in 0..whole.len() {
            let mut other = whole.clone();
            other[at] ^= 0x80;
            let taken = memory.follow(first, &other).map_or(0, |row| row.octets_len);
            assert!(taken <= at, "{at}");
            let stays = memory.find(&other[taken..]).is_none();
            assert!(stays);
        }
    }

    #[test]
    fn what_followed_once_is_tried_again() {
        let mut memory = memory(9);
        let (two, five) = (Place(2), Place(5));
        assert_eq!(memory.follow(two, &octets(&[5, 6])), None);
        memory.learn(two, five);
        let row = memory.follow(two, &octets(&[5, 6])).unwrap();
        assert_eq!((row.message_count, row.last), (2, Place(6)));
        assert_eq!(memory.follow(two, &octets(&[3])).unwrap().last, Place(3));
        assert_eq!(memory.follow(Place::NOWHERE, &octets(&[0])), None);
        assert_eq!(
            memory.follow(Place(8), &octets(&[0])),
            None,
            "the last of all"
        );
    }

    #[test]
    fn special_messages_stand_alone() {
        let mut memory = memory(3);
        let foreign = vec![("192.0.2.0/24".parse().unwrap(), 7)];
        let decoded = Decoded {
            foreign: foreign.clone(),
            ..message(3).1
        };
        let special = memory.add(&message(3).0, decoded);
        memory.add(&message(4).0, message(4).1);
        let row = memory.follow(Place(0), &octets(&[1, 2, 3, 4])).unwrap();
        assert_eq!(row.message_count, 2);
        assert_eq!(memory.follow(row.last, &octets(&[3, 4])), None);
        assert_eq!(memory.find(&message(3).0), Some(special));
        assert_eq!(memory.foreign(special), foreign);
        assert!(memory.is_special(special) && !memory.is_special(Place(2)));
    }
}
