//! The content of a file: bgpq4's JSON, or a cache of arouteserver, which holds the same in another
//! wrapping. Knows nothing of the file it comes from.

use std::borrow::Cow;
use std::fmt;
use std::net::Ipv6Addr;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::base::{Asn, Family, Prefix};
use crate::policy::PrefixRange;

/// What a file holds: prefixes or origins, in its order.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct IrrEntries {
    pub prefixes: Vec<PrefixRange>,
    pub origins: Vec<Asn>,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum IrrFileError {
    #[error("it is empty")]
    Blank,
    #[error("it is cut off: {0}")]
    CutOff(String),
    #[error("it is not what bgpq4 -j or arouteserver writes: {0}")]
    Malformed(String),
}

impl IrrEntries {
    /// All of it or nothing: what is wrong anywhere makes the file worthless.
    pub fn read(octets: &[u8]) -> Result<IrrEntries, IrrFileError> {
        if octets.trim_ascii().is_empty() {
            return Err(IrrFileError::Blank);
        }
        let mut deserializer = serde_json::Deserializer::from_slice(octets);
        Document::deserialize(&mut deserializer)
            .and_then(|Document(entries)| deserializer.end().map(|()| entries))
            .map_err(|error| match error.is_eof() {
                true => IrrFileError::CutOff(error.to_string()),
                false => IrrFileError::Malformed(error.to_string()),
            })
    }

    pub fn is_empty(&self) -> bool {
        self.prefixes.is_empty() && self.origins.is_empty()
    }
}

/// `{"NN": […]}` of bgpq4, `{"ts": …, "data": […]}` of arouteserver.
struct Document(IrrEntries);

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Document, D::Error> {
        deserializer.deserialize_map(DocumentVisitor)
    }
}

struct DocumentVisitor;

impl<'de> Visitor<'de> for DocumentVisitor {
    type Value = Document;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object that holds one list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Document, A::Error> {
        let mut entries = None;
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            if key == "ts" {
                map.next_value::<u64>()?;
                continue;
            }
            let mut list = IrrEntries::default();
            map.next_value_seed(List(&mut list))?;
            if entries.replace(list).is_some() {
                return Err(A::Error::custom(format_args!("\"{key}\" is a second list")));
            }
        }
        entries
            .map(Document)
            .ok_or_else(|| A::Error::custom("there is no list in it"))
    }
}

struct List<'a>(&'a mut IrrEntries);

impl<'de> DeserializeSeed<'de> for List<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for List<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of prefixes or of ASNs")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(Element(&mut *self.0))?.is_some() {}
        Ok(())
    }
}

struct Element<'a>(&'a mut IrrEntries);

impl<'de> DeserializeSeed<'de> for Element<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Element<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a prefix such as {\"prefix\": \"192.0.2.0/24\", \"exact\": true}, or an ASN")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        let asn =
            u32::try_from(number).map_err(|_| E::custom(format_args!("{number} is not an ASN")))?;
        self.0.origins.push(Asn(asn));
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        let entry = Entry::deserialize(MapAccessDeserializer::new(map))?;
        self.0
            .prefixes
            .push(entry.range().map_err(A::Error::custom)?);
        Ok(())
    }
}

/// bgpq4 writes the length into the prefix, arouteserver beside it.
#[derive(Deserialize)]
struct Entry {
    prefix: Address,
    length: Option<u8>,
    #[serde(default)]
    exact: bool,
    #[serde(rename = "greater-equal", alias = "ge")]
    len_min: Option<u8>,
    #[serde(rename = "less-equal", alias = "le")]
    len_max: Option<u8>,
}

impl Entry {
    fn range(&self) -> Result<PrefixRange, String> {
        let Address { family, octets, .. } = self.prefix;
        let len = (self.prefix.len.or(self.length)).ok_or("a prefix has no length")?;
        let prefix = Prefix::new(family, &octets, len).map_err(|error| error.to_string())?;
        if self.exact {
            return Ok(PrefixRange::exact(prefix));
        }
        let len_min = self.len_min.unwrap_or(len);
        let len_max = self.len_max.unwrap_or(family.max_len());
        PrefixRange::new(prefix, len_min, len_max).map_err(|error| error.to_string())
    }
}

/// An address, with or without a length.
struct Address {
    family: Family,
    octets: [u8; 16],
    len: Option<u8>,
}

impl Address {
    fn of(text: &str) -> Option<Address> {
        let octets = text.as_bytes();
        let slash = octets.iter().rposition(|octet| *octet == b'/');
        let (address, len) = match slash {
            Some(at) => (&octets[..at], Some(small_number(&octets[at + 1..])?)),
            None => (octets, None),
        };
        if let Some(octets) = v4_octets(address) {
            let family = Family::Ipv4;
            return Some(Address {
                family,
                octets,
                len,
            });
        }
        let address = text.get(..address.len())?.parse::<Ipv6Addr>().ok()?;
        Some(Address {
            family: Family::Ipv6,
            octets: address.octets(),
            len,
        })
    }
}

/// Left-aligned.
fn v4_octets(text: &[u8]) -> Option<[u8; 16]> {
    let mut octets = [0; 16];
    let mut parts = text.split(|octet| *octet == b'.');
    for octet in &mut octets[..4] {
        *octet = small_number(parts.next()?)?;
    }
    parts.next().is_none().then_some(octets)
}

/// Up to three digits, less than 256.
fn small_number(digits: &[u8]) -> Option<u8> {
    if !(1..=3).contains(&digits.len()) {
        return None;
    }
    let mut number = 0u16;
    for digit in digits {
        number = number * 10 + u16::from(digit.checked_sub(b'0').filter(|digit| *digit < 10)?);
    }
    u8::try_from(number).ok()
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Address, D::Error> {
        deserializer.deserialize_str(AddressVisitor)
    }
}

/// Looks at the text where it lies: bgpq4 writes "\/", so that it is not always the file's own octets.
struct AddressVisitor;

impl Visitor<'_> for AddressVisitor {
    type Value = Address;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a prefix")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Address, E> {
        Address::of(text).ok_or_else(|| E::custom(format_args!("'{text}' is not a prefix")))
    }
}
