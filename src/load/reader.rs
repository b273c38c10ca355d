//! Received UPDATEs into changes of tables, each distinct message decoded once.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::attributes::Fault;
use super::forms::{FormId, Forms, NOTHING};
use super::memory::{Change, Decoded, Memory, Place, Stretch};
use super::second;
use super::update::{self, HEADER_LEN, Parts};
use crate::base::{Family, Prefix};

/// Remembered octets, at most; then all is forgotten and learnt again.
const MEMORY_MAX: usize = 1 << 30;

pub struct Reader {
    index: HashMap<Prefix, u32, FixedState>,
    /// Without and with ADD-PATH.
    classes: [Class; 2],
    memory_max: usize,
    key: Vec<u8>,
    second_decoder: bool,
    /// Distinct messages, and those that the second decoder read the same way.
    pub decoded_count: u64,
    pub confirmed_count: u64,
}

/// Sessions that write their NLRI the same way.
struct Class {
    memory: Memory,
    /// By client: the message read last.
    last: Vec<Place>,
}

impl Reader {
    pub fn new(prefixes: &[Prefix], client_count: usize, second_decoder: bool) -> Reader {
        let class = || Class {
            memory: Memory::new(),
            last: vec![Place::NOWHERE; client_count],
        };
        Reader {
            index: prefixes
                .iter()
                .zip(0..)
                .map(|(&prefix, index)| (prefix, index))
                .collect(),
            classes: [class(), class()],
            memory_max: MEMORY_MAX,
            key: Vec::new(),
            second_decoder,
            decoded_count: 0,
            confirmed_count: 0,
        }
    }

    pub fn memory(&self, add_path: bool) -> &Memory {
        &self.classes[usize::from(add_path)].memory
    }

    /// The UPDATEs that `octets` begin with, as far as they are those that another client got next.
    pub fn follow(&mut self, client: usize, add_path: bool, octets: &[u8]) -> Option<Stretch> {
        let class = &mut self.classes[usize::from(add_path)];
        let stretch = class.memory.follow(class.last[client], octets)?;
        class.last[client] = stretch.last;
        Some(stretch)
    }

    /// Reads one whole UPDATE, header and all.
    pub fn read(
        &mut self,
        client: usize,
        add_path: bool,
        message: &[u8],
        forms: &mut Forms,
    ) -> Result<Stretch, Fault> {
        let place = match self.memory(add_path).find(message) {
            Some(place) => place,
            None => {
                let body = &message[HEADER_LEN..];
                let parts = update::read_update(body)?;
                let decoded = self.decode(&parts, add_path, forms)?;
                self.decoded_count += 1;
                if self.second_decoder {
                    second::confirm(body, &parts, add_path)?;
                    self.confirmed_count += 1;
                }
                self.make_room(add_path);
                let class = &mut self.classes[usize::from(add_path)];
                class.memory.add(message, decoded)
            }
        };
        let class = &mut self.classes[usize::from(add_path)];
        let last = std::mem::replace(&mut class.last[client], place);
        class.memory.learn(last, place);
        Ok(class.memory.one(place))
    }

    fn make_room(&mut self, add_path: bool) {
        let class = &mut self.classes[usize::from(add_path)];
        if class.memory.size() > self.memory_max {
            class.memory = Memory::new();
            class.last.fill(Place::NOWHERE);
        }
    }

    fn decode(
        &mut self,
        parts: &Parts<'_>,
        add_path: bool,
        forms: &mut Forms,
    ) -> Result<Decoded, Fault> {
        let mut decoded = Decoded {
            is_end_of_rib: parts.end_of_rib.is_some(),
            ..Decoded::default()
        };
        for &(family, nlri) in &parts.withdrawn {
            self.add(&mut decoded, family, nlri, add_path, NOTHING)?;
        }
        decoded.withdrawn_count = decoded.changes.len() + decoded.foreign.len();
        for block in &parts.announced {
            block.key(&mut self.key)?;
            let form = forms.read_key(&self.key)?;
            self.add(&mut decoded, block.family, block.nlri, add_path, form)?;
        }
        Ok(decoded)
    }

    fn add(
        &self,
        to: &mut Decoded,
        family: Family,
        nlri: &[u8],
        add_path: bool,
        form: FormId,
    ) -> Result<(), Fault> {
        update::read_nlri(family, nlri, add_path, |path_id, prefix| {
            match self.index.get(&prefix) {
                Some(&prefix) => to.changes.push(Change {
                    prefix,
                    path_id,
                    form,
                }),
                None => to.foreign.push((prefix, form)),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::attributes::Attributes;

    fn prefixes() -> Vec<Prefix> {
        let third = 0..200u8;
        third
            .map(|third| format!("20.1.{third}.0/24").parse().unwrap())
            .collect()
    }

    fn messages() -> Vec<Vec<u8>> {
        let message = |(number, prefix): (u32, &Prefix)| {
            let set = Attributes::new(&[10000, number], "10.77.1.1".parse().unwrap());
            let (mut key, mut out) = (Vec::new(), Vec::new());
            set.key(&mut key);
            update::encode_announcement(&mut out, &key, [*prefix].iter());
            out
        };
        (1..).zip(&prefixes()).map(message).collect()
    }

    /// What each of two clients hears of `messages`, in turns of so many octets.
    fn hear(reader: &mut Reader, forms: &mut Forms, client: usize, octets: &[u8]) -> Vec<Change> {
        let (mut at, mut heard) = (0, Vec::new());
        while at < octets.len() {
            let stretch = reader.follow(client, false, &octets[at..]).or_else(|| {
                let len = usize::from(u16::from_be_bytes([octets[at + 16], octets[at + 17]]));
                let message = &octets[at..at + len];
                reader.read(client, false, message, forms).ok()
            });
            let stretch = stretch.expect("the messages are whole");
            at += stretch.octets_len;
            heard.extend_from_slice(reader.memory(false).changes(stretch.changes));
        }
        heard
    }

    #[test]
    fn another_client_hears_the_same_also_while_all_is_forgotten() {
        for memory_max in [MEMORY_MAX, 4000, 0] {
            let mut reader = Reader::new(&prefixes(), 3, true);
            reader.memory_max = memory_max;
            let mut forms = Forms::default();
            let octets = messages().concat();
            let first = hear(&mut reader, &mut forms, 0, &octets);
            assert_eq!(first.len(), 200);
            assert_eq!(hear(&mut reader, &mut forms, 1, &octets), first);
            let mut skipping = messages();
            skipping.retain(|message| message[message.len() - 1] % 7 != 3);
            let heard = hear(&mut reader, &mut forms, 2, &skipping.concat());
            let expected = first.iter().filter(|change| change.prefix % 7 != 3);
            assert!(heard.iter().eq(expected), "{memory_max}");
            let decoded_again = reader.decoded_count > 200;
            assert_eq!(decoded_again, memory_max != MEMORY_MAX);
        }
    }
}
