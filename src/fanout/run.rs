//! A run: octets of whole messages that one audience gets, with the prefixes they name.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::base::{Family, PathId, PrefixSlot, ShardId};

use super::DirtyPrefix;
use super::buffer::Share;

/// Whole messages, shared by every client that gets them.
#[derive(Debug)]
pub struct Run {
    /// Many runs lie in one buffer, one after another.
    pub buffer: Bytes,
    /// The run's own octets in it.
    pub range: Range<usize>,
    pub named: Named,
    pub updates: u32,
    pub nlri: u32,
    pub marker: Option<Marker>,
    /// Keeps the period it was made in alive (see [`super::Periods`]).
    pub period: Arc<()>,
    /// Counts `named`.
    pub share: Option<Share>,
}

impl Run {
    /// Mere octets: they name nothing, so nothing need wait until they are written.
    pub fn nameless(octets: Bytes) -> Run {
        Run {
            range: 0..octets.len(),
            buffer: octets,
            named: Named::default(),
            updates: 0,
            nlri: 0,
            marker: None,
            period: Arc::default(),
            share: None,
        }
    }

    pub fn octets(&self) -> &[u8] {
        &self.buffer[self.range.clone()]
    }

    /// How many octets.
    pub fn len(&self) -> usize {
        self.range.len()
    }

    pub fn is_empty(&self) -> bool {
        self.range.is_empty()
    }

    /// The same octets, without what they name.
    pub fn bare(&self) -> Run {
        Run {
            marker: self.marker,
            range: self.range.clone(),
            ..Run::nameless(self.buffer.clone())
        }
    }

    /// A copy of some of its messages.
    pub fn remnant(&self, start: usize, end: usize) -> Run {
        let octets = self.octets().get(start..end).unwrap_or_default();
        Run::nameless(Bytes::copy_from_slice(octets))
    }
}

/// A message that says where a client's table stands. One that is dropped is still owed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Marker {
    /// RFC 4724 §2.
    EndOfRib(Family),
    /// Beginning and end of a route refresh (RFC 7313 §4.1).
    RefreshBegin(Family),
    RefreshEnd(Family),
}

/// Prefix slots by shard; with ADD-PATH the path identifiers as well.
#[derive(Default, Debug)]
pub struct Named {
    /// Where each shard's slots end.
    shards: SmallVec<[(ShardId, u32); 2]>,
    slots: Box<[PrefixSlot]>,
    /// At the same positions; 0 for none. Empty if all are.
    path_ids: Box<[PathId]>,
}

/// One entry while a run is open.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Name {
    pub shard: ShardId,
    pub slot: PrefixSlot,
    /// 0 for none.
    pub path_id: PathId,
}

impl Named {
    /// Takes all of `names`.
    pub fn collect(names: &mut Vec<Name>) -> Named {
        names.sort_by_key(|name| name.shard);
        let mut shards = SmallVec::new();
        for (index, name) in names.iter().enumerate() {
            match shards.last_mut() {
                Some((shard, end)) if *shard == name.shard => *end = index as u32 + 1,
                _ => shards.push((name.shard, index as u32 + 1)),
            }
        }
        let slots = names.iter().map(|name| name.slot).collect();
        let path_ids = match names.iter().any(|name| name.path_id.0 != 0) {
            true => names.iter().map(|name| name.path_id).collect(),
            false => Box::default(),
        };
        names.clear();
        Named {
            shards,
            slots,
            path_ids,
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (ShardId, DirtyPrefix)> + '_ {
        let mut start = 0;
        self.shards.iter().flat_map(move |&(shard, end)| {
            let range = start..end as usize;
            start = end as usize;
            range.map(move |index| {
                let path_id = self.path_ids.get(index).copied().filter(|id| id.0 != 0);
                (
                    shard,
                    DirtyPrefix {
                        prefix: self.slots[index],
                        path_id,
                    },
                )
            })
        })
    }

    /// Octets it occupies.
    pub fn octets(&self) -> usize {
        size_of_val(&*self.slots) + size_of_val(&*self.path_ids)
    }
}

/// Where the message that contains `octet` ends, given a message start at or before it.
///
/// `from` moves on to the last message start not after `octet`, so that the next search is short.
pub fn message_end(bytes: &[u8], from: &mut usize, octet: usize) -> usize {
    loop {
        let len = match bytes.get(*from + 16..*from + 18) {
            Some(&[high, low]) => usize::from(u16::from_be_bytes([high, low])),
            _ => return bytes.len(),
        };
        debug_assert!(len >= 19, "no BGP message at {from}");
        if *from + len > octet {
            return (*from + len).min(bytes.len());
        }
        *from += len.max(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_by_shard_with_their_path_ids() {
        let name = |shard, slot, path_id| Name {
            shard: ShardId(shard),
            slot: PrefixSlot(slot),
            path_id: PathId(path_id),
        };
        let mut names = vec![name(1, 7, 0), name(0, 3, 2), name(1, 8, 0), name(0, 4, 0)];
        let named = Named::collect(&mut names);
        assert!(names.is_empty());
        let dirty = |slot, path_id: u32| DirtyPrefix {
            prefix: PrefixSlot(slot),
            path_id: (path_id != 0).then_some(PathId(path_id)),
        };
        let expected = [
            (ShardId(0), dirty(3, 2)),
            (ShardId(0), dirty(4, 0)),
            (ShardId(1), dirty(7, 0)),
            (ShardId(1), dirty(8, 0)),
        ];
        assert_eq!(named.iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn message_ends_are_found_from_the_length_fields() {
        let mut bytes = Vec::new();
        for len in [19u16, 23, 4096] {
            bytes.extend([0xff; 16]);
            bytes.extend(len.to_be_bytes());
            bytes.resize(bytes.len() + usize::from(len) - 18, 0);
        }
        for (octet, end) in [
            (0, 19),
            (18, 19),
            (19, 42),
            (41, 42),
            (42, 4138),
            (4137, 4138),
        ] {
            let mut from = 0;
            assert_eq!(message_end(&bytes, &mut from, octet), end, "octet {octet}");
        }
    }
}
