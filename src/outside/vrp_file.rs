//! VRPs and ASPAs in JSON, as rpki-client (`-j`) and Routinator (`json`, `jsonext`) write them.
//! Takes octets: which file they are from, and what was in it before, is the caller's.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

use crate::base::{Asn, Prefix};
use crate::policy::{Aspa, Vrp};

/// What a file says, in its order.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct VrpFile {
    pub vrps: Vec<Vrp>,
    pub aspas: Vec<Aspa>,
}

#[derive(Debug, thiserror::Error)]
pub enum VrpFileError {
    #[error("{0}; it must be JSON as rpki-client -j or Routinator's format json makes it, whole")]
    Json(#[from] serde_json::Error),
    #[error(
        "neither \"roas\" nor \"aspas\" in it; it must be JSON as rpki-client -j or Routinator's format json makes it"
    )]
    NoPayload,
}

/// All or nothing: one entry that cannot be is an error for the file.
pub fn read(octets: &[u8]) -> Result<VrpFile, VrpFileError> {
    let top: Top = serde_json::from_slice(octets)?;
    if top.roas.is_none() && top.aspas.is_none() {
        return Err(VrpFileError::NoPayload);
    }
    let vrps = top.roas.unwrap_or_default().into_iter();
    let aspas = top.aspas.unwrap_or_default().into_iter();
    Ok(VrpFile {
        vrps: vrps.map(|Roa(vrp)| vrp).collect(),
        aspas: aspas.map(AspaEntry::into_aspa).collect(),
    })
}

/// Other keys (metadata, router keys, prefix lists) are passed over.
#[derive(serde::Deserialize)]
struct Top {
    roas: Option<Vec<Roa>>,
    aspas: Option<Vec<AspaEntry>>,
}

struct Roa(Vrp);

impl<'de> Deserialize<'de> for Roa {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Roa, D::Error> {
        RoaEntry::deserialize(deserializer)?
            .vrp()
            .map(Roa)
            .map_err(D::Error::custom)
    }
}

#[derive(serde::Deserialize)]
struct RoaEntry<'a> {
    asn: AsnEntry,
    #[serde(borrow)]
    prefix: Cow<'a, str>,
    #[serde(rename = "maxLength")]
    max_len: Option<u8>,
}

impl RoaEntry<'_> {
    fn vrp(&self) -> Result<Vrp, String> {
        let text = &*self.prefix;
        let prefix: Prefix = match text.contains('/') {
            true => text.parse().map_err(|error| format!("{error}"))?,
            false => return Err(format!("prefix '{text}' has no length")),
        };
        let max_len = self.max_len.unwrap_or(prefix.len());
        if max_len < prefix.len() || max_len > prefix.family().max_len() {
            return Err(format!(
                "maxLength {max_len} cannot be with prefix {prefix}"
            ));
        }
        let asn = self.asn.0;
        Ok(Vrp {
            prefix,
            max_len,
            asn,
        })
    }
}

#[derive(serde::Deserialize)]
struct AspaEntry {
    /// Routinator's key, and rpki-client's.
    #[serde(alias = "customer_asid")]
    customer: AsnEntry,
    providers: Vec<AsnEntry>,
}

impl AspaEntry {
    fn into_aspa(self) -> Aspa {
        Aspa {
            customer: self.customer.0,
            providers: self.providers.into_iter().map(|asn| asn.0).collect(),
        }
    }
}

/// `64496`, `"AS64496"` or `"64496"`.
struct AsnEntry(Asn);

impl<'de> Deserialize<'de> for AsnEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<AsnEntry, D::Error> {
        deserializer.deserialize_any(AsnVisitor).map(AsnEntry)
    }
}

struct AsnVisitor;

impl Visitor<'_> for AsnVisitor {
    type Value = Asn;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an ASN such as 64496 or \"AS64496\"")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Asn, E> {
        u32::try_from(number)
            .map(Asn)
            .map_err(|_| E::custom(format_args!("ASN {number} is over 4294967295")))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Asn, E> {
        text.parse()
            .map_err(|_| E::custom(format_args!("'{text}' is not an ASN")))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RPKI_CLIENT: &str = r#"{
	"metadata": {
		"buildmachine": "validator.example",
		"buildtime": "2026-11-28T12:00:00Z",
		"aspas": 2,
		"talfiles": [ "ripe.tal" ],
		"vrps": 2
	},
	"roas": [
		{ "asn": 64496, "prefix": "192.0.2.0/24", "maxLength": 24, "ta": "ripe", "expires": 1795910400 },
		{ "asn": 4200000000, "prefix": "2001:db8::/32", "maxLength": 48, "ta": "ripe", "expires": 1795910400 }
	],
	"bgpsec_keys": [
		{ "asn": 64496, "ski": "00", "pubkey": "MFkw", "ta": "ripe", "expires": 1795910400 }
	],
	"nonfunc_cas": [],
	"aspas": [
		{ "customer_asid": 64496, "expires": 1795910400, "providers": [ 64499, 64500 ] },
		{ "customer_asid": 64497, "expires": 1795910400, "providers": [ 0 ] }
	]
}
"#;

    const ROUTINATOR: &str = r#"{
  "metadata": {
    "generated": 1795867200,
    "generatedTime": "2026-11-28T12:00:00Z"
  },
  "roas": [
    { "asn": "AS64496", "prefix": "192.0.2.0/24", "maxLength": 24, "ta": "ripe" },
    { "asn": "AS4200000000", "prefix": "2001:db8::/32", "maxLength": 48, "source": [ { "type": "roa", "uri": null } ] }
  ],
  "routerKeys": [
    { "asn": "AS64496", "SKI": "00", "routerPublicKey": "MFkw", "ta": "ripe" }
  ],
  "aspas": [
    { "customer": "AS64496", "providers": ["AS64499", "AS64500"], "ta": "ripe" },
    { "customer": "AS64497", "providers": ["AS0"], "ta": "ripe" }
  ]
}
"#;

    fn vrp(prefix: &str, max_len: u8, asn: u32) -> Vrp {
        Vrp {
            prefix: prefix.parse().unwrap(),
            max_len,
            asn: Asn(asn),
        }
    }

    fn aspa(customer: u32, providers: &[u32]) -> Aspa {
        Aspa {
            customer: Asn(customer),
            providers: providers.iter().copied().map(Asn).collect(),
        }
    }

    fn whole() -> VrpFile {
        VrpFile {
            vrps: vec![
                vrp("192.0.2.0/24", 24, 64496),
                vrp("2001:db8::/32", 48, 4_200_000_000),
            ],
            aspas: vec![aspa(64496, &[64499, 64500]), aspa(64497, &[0])],
        }
    }

    #[test]
    fn files_of_both_validators_say_the_same() {
        assert_eq!(read(RPKI_CLIENT.as_bytes()).unwrap(), whole());
        assert_eq!(read(ROUTINATOR.as_bytes()).unwrap(), whole());
    }

    #[test]
    fn what_a_file_may_leave_out() {
        let cases = [
            ("ASPAs", r#"{"roas":[]}"#, VrpFile::default()),
            (
                "VRPs",
                r#"{"aspas":[{"customer":"AS1","providers":["AS2"]}]}"#,
                VrpFile {
                    vrps: vec![],
                    aspas: vec![aspa(1, &[2])],
                },
            ),
            (
                "a maximum length, which is the prefix length then, and AS before a number in quotes",
                r#"{"roas":[{"asn":"64496","prefix":"192.0.2.0/24"}]}"#,
                VrpFile {
                    vrps: vec![vrp("192.0.2.0/24", 24, 64496)],
                    aspas: vec![],
                },
            ),
        ];
        for (case, text, expected) in cases {
            assert_eq!(read(text.as_bytes()).unwrap(), expected, "{case}");
        }
    }

    #[test]
    fn what_cannot_be_says_where_and_why() {
        let roa = |fields: &str| format!("{{\"roas\":[\n{{{fields}}}]}}");
        let cases = [
            ("nothing at all", String::new(), "EOF"),
            (
                "a JSON file of something else",
                r#"{"net":[]}"#.into(),
                "neither",
            ),
            (
                "a page of an HTTP server",
                "<html>".into(),
                "line 1 column 1",
            ),
            (
                "an ASN over 32 bits",
                roa(r#""asn":4294967296,"prefix":"192.0.2.0/24","maxLength":24"#),
                "ASN 4294967296 is over",
            ),
            (
                "an ASN that is none",
                roa(r#""asn":"ASX","prefix":"192.0.2.0/24","maxLength":24"#),
                "'ASX' is not an ASN",
            ),
            (
                "no ASN",
                roa(r#""prefix":"192.0.2.0/24","maxLength":24"#),
                "missing field `asn`",
            ),
            (
                "a prefix that is none",
                roa(r#""asn":1,"prefix":"192.0.2.0/33","maxLength":24"#),
                "192.0.2.0/33",
            ),
            (
                "an address in place of a prefix",
                roa(r#""asn":1,"prefix":"192.0.2.0","maxLength":32"#),
                "has no length",
            ),
            (
                "a maximum length under the length",
                roa(r#""asn":1,"prefix":"192.0.2.0/24","maxLength":23"#),
                "maxLength 23 cannot be with prefix 192.0.2.0/24",
            ),
            (
                "a maximum length over what the family has",
                roa(r#""asn":1,"prefix":"192.0.2.0/24","maxLength":33"#),
                "maxLength 33 cannot be",
            ),
            (
                "octets after the end",
                format!("{ROUTINATOR} ]"),
                "trailing",
            ),
        ];
        for (case, text, part) in cases {
            let error = read(text.as_bytes()).expect_err(case).to_string();
            assert!(error.contains(part), "{case}: {error}");
        }
        let error = read(roa(r#""asn":1,"prefix":"x/1""#).as_bytes()).unwrap_err();
        assert!(error.to_string().contains("line 2"), "{error}");
    }

    proptest! {
        #[test]
        fn a_truncated_file_is_an_error(part in 0.0..1.0) {
            for text in [RPKI_CLIENT, ROUTINATOR] {
                let whole = text.trim_end().len();
                let end = (whole as f64 * part) as usize;
                prop_assert!(read(&text.as_bytes()[..end]).is_err());
            }
        }

        #[test]
        fn any_octets_give_a_file_or_an_error(
            at in any::<prop::sample::Index>(),
            octets in prop::collection::vec(any::<u8>(), 1..4),
        ) {
            let mut text = RPKI_CLIENT.as_bytes().to_vec();
            let at = at.index(text.len());
            text.splice(at..at, octets);
            let _ = read(&text);
        }
    }
}
