//! Received UPDATEs into changes of tables, each distinct message decoded once: a route server
//! sends the same octets to hundreds of clients, so a message is looked up by its whole content
//! first. The octets are compared, not only their hash.

use std::rc::Rc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::attributes::Fault;
use super::model::{FormId, Forms, NOTHING};
use super::second;
use super::update::{self, Parts};
use crate::base::{Family, Prefix};

/// Remembered octets, at most; then all is forgotten and learnt again.
const MEMO_OCTETS_MAX: usize = 512 << 20;

/// One prefix of a message: withdrawn if `form` is [`NOTHING`].
#[derive(Clone, Copy)]
pub struct Change {
    pub prefix: u32,
    pub path_id: u32,
    pub form: FormId,
}

/// A decoded UPDATE. Withdrawals come first (RFC 4271 §4.3: an announcement beside them wins).
#[derive(Default)]
pub struct Decoded {
    pub changes: Vec<Change>,
    pub withdrawn_count: usize,
    /// Prefixes that nobody announces here.
    pub foreign: Vec<(Prefix, FormId)>,
    pub end_of_rib: Option<Family>,
}

pub struct Reader {
    index: HashMap<Prefix, u32, FixedState>,
    /// Without and with ADD-PATH.
    memo: [HashMap<Box<[u8]>, Rc<Decoded>, FixedState>; 2],
    memo_octets: usize,
    forms_by_key: HashMap<Box<[u8]>, FormId, FixedState>,
    key: Vec<u8>,
    second_decoder: bool,
    /// Distinct messages, and those that the second decoder read the same way.
    pub decoded_count: u64,
    pub confirmed_count: u64,
}

impl Reader {
    pub fn new(prefixes: &[Prefix], second_decoder: bool) -> Reader {
        Reader {
            index: prefixes
                .iter()
                .zip(0..)
                .map(|(&prefix, index)| (prefix, index))
                .collect(),
            memo: Default::default(),
            memo_octets: 0,
            forms_by_key: HashMap::default(),
            key: Vec::new(),
            second_decoder,
            decoded_count: 0,
            confirmed_count: 0,
        }
    }

    /// `body` is an UPDATE without its header.
    pub fn read(
        &mut self,
        body: &[u8],
        add_path: bool,
        forms: &mut Forms,
    ) -> Result<Rc<Decoded>, Fault> {
        if let Some(decoded) = self.memo[usize::from(add_path)].get(body) {
            return Ok(decoded.clone());
        }
        let parts = update::read_update(body)?;
        let decoded = Rc::new(self.decode(&parts, add_path, forms)?);
        self.decoded_count += 1;
        if self.second_decoder {
            second::confirm(body, &parts, add_path)?;
            self.confirmed_count += 1;
        }
        self.memo_octets += body.len() + 64 + decoded.changes.len() * size_of::<Change>();
        if self.memo_octets > MEMO_OCTETS_MAX {
            self.memo = Default::default();
            self.memo_octets = 0;
        }
        self.memo[usize::from(add_path)].insert(body.into(), decoded.clone());
        Ok(decoded)
    }

    fn decode(
        &mut self,
        parts: &Parts<'_>,
        add_path: bool,
        forms: &mut Forms,
    ) -> Result<Decoded, Fault> {
        let mut decoded = Decoded {
            end_of_rib: parts.end_of_rib,
            ..Decoded::default()
        };
        for &(family, nlri) in &parts.withdrawn {
            self.add(&mut decoded, family, nlri, add_path, NOTHING)?;
        }
        decoded.withdrawn_count = decoded.changes.len() + decoded.foreign.len();
        for block in &parts.announced {
            block.key(&mut self.key);
            let form = match self.forms_by_key.get(&self.key[..]) {
                Some(&form) => form,
                None => {
                    let form = forms.intern(block.decode()?);
                    self.forms_by_key.insert(self.key[..].into(), form);
                    form
                }
            };
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
