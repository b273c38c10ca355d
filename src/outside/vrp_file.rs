//! VRPs and ASPAs in JSON, as rpki-client (`-j`) and Routinator (`json`, `jsonext`) write them, with how
//! long they count. Takes octets: which file they are from, and what was in it before, is the caller's.

use std::borrow::Cow;
use std::fmt;

use chrono::DateTime;
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde_json::Value;

use crate::base::{Asn, Prefix};
use crate::policy::{Aspa, Vrp};

/// What a file says, in its order. Moments are seconds since 1970 (UTC).
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct VrpFile {
    vrps: Vec<Until<Vrp>>,
    aspas: Vec<Until<Aspa>>,
    /// When its validator made it, where it says so (`metadata`: Routinator's `generated`, rpki-client's
    /// `buildtime`).
    pub made_s: Option<u64>,
    /// When entries expire; sorted, each once.
    expiries_s: Vec<u64>,
}

/// An entry, which counts until then: rpki-client's `expires`; Routinator says nothing of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Until<T> {
    pub entry: T,
    pub expires_s: Option<u64>,
}

/// By what the age of a file is judged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileTime {
    /// Seconds since 1970 (UTC).
    pub now_s: u64,
    /// A file that was made longer ago is stale.
    pub max_age_s: Option<u64>,
}

impl<T> Until<T> {
    fn counts(&self, now_s: u64) -> bool {
        self.expires_s.is_none_or(|expires_s| now_s < expires_s)
    }
}

impl VrpFile {
    pub fn new(vrps: Vec<Until<Vrp>>, aspas: Vec<Until<Aspa>>, made_s: Option<u64>) -> VrpFile {
        let of_vrps = vrps.iter().filter_map(|vrp| vrp.expires_s);
        let of_aspas = aspas.iter().filter_map(|aspa| aspa.expires_s);
        let mut expiries_s: Vec<u64> = of_vrps.chain(of_aspas).collect();
        expiries_s.sort_unstable();
        expiries_s.dedup();
        expiries_s.shrink_to_fit();
        VrpFile {
            vrps,
            aspas,
            made_s,
            expiries_s,
        }
    }

    /// VRPs and ASPAs, whether or not they count.
    pub fn entry_count(&self) -> usize {
        self.vrps.len() + self.aspas.len()
    }

    /// Has a VRP, whether or not it counts.
    pub fn has_vrps(&self) -> bool {
        !self.vrps.is_empty()
    }

    /// So old that nothing in it counts.
    pub fn is_stale(&self, at: FileTime) -> bool {
        self.stale_from_s(at)
            .is_some_and(|from_s| from_s <= at.now_s)
    }

    fn stale_from_s(&self, at: FileTime) -> Option<u64> {
        Some(self.made_s?.saturating_add(at.max_age_s?))
    }

    /// Those that count.
    pub fn vrps(&self, at: FileTime) -> impl Iterator<Item = Vrp> + '_ {
        let vrps = match self.is_stale(at) {
            true => &[][..],
            false => &self.vrps[..],
        };
        let counts = move |vrp: &&Until<Vrp>| vrp.counts(at.now_s);
        vrps.iter().filter(counts).map(|vrp| vrp.entry)
    }

    /// Those that count.
    pub fn aspas(&self, at: FileTime) -> impl Iterator<Item = &Aspa> + '_ {
        let aspas = match self.is_stale(at) {
            true => &[][..],
            false => &self.aspas[..],
        };
        let counts = move |aspa: &&Until<Aspa>| aspa.counts(at.now_s);
        aspas.iter().filter(counts).map(|aspa| &aspa.entry)
    }

    /// Entries past their `expires`.
    pub fn expired_count(&self, now_s: u64) -> usize {
        let vrps = self.vrps.iter().filter(|vrp| !vrp.counts(now_s)).count();
        let aspas = self.aspas.iter().filter(|aspa| !aspa.counts(now_s));
        vrps + aspas.count()
    }

    /// The first moment after `at` from which on less of it counts.
    pub fn expires_next_s(&self, at: FileTime) -> Option<u64> {
        if self.is_stale(at) {
            return None;
        }
        let next = (self.expiries_s).partition_point(|expires_s| *expires_s <= at.now_s);
        let next = self.expiries_s.get(next).copied();
        next.into_iter().chain(self.stale_from_s(at)).min()
    }
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
    Ok(VrpFile::new(
        vrps.map(|Roa(vrp)| vrp).collect(),
        aspas.map(AspaEntry::into_aspa).collect(),
        made_s(&top.metadata),
    ))
}

/// What is in another form than the two validators have it is passed over: the date of the file will do.
fn made_s(metadata: &Value) -> Option<u64> {
    let date_s = |key: &str| {
        let date = DateTime::parse_from_rfc3339(metadata.get(key)?.as_str()?).ok()?;
        u64::try_from(date.timestamp()).ok()
    };
    let generated_s = metadata.get("generated").and_then(Value::as_u64);
    generated_s.or_else(|| date_s("buildtime"))
}

fn expiry_s(expires: Option<i64>) -> Option<u64> {
    expires.map(|expires_s| u64::try_from(expires_s).unwrap_or(0))
}

/// Other keys (router keys, prefix lists) are passed over.
#[derive(serde::Deserialize)]
struct Top {
    #[serde(default)]
    metadata: Value,
    roas: Option<Vec<Roa>>,
    aspas: Option<Vec<AspaEntry>>,
}

struct Roa(Until<Vrp>);

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
    expires: Option<i64>,
}

impl RoaEntry<'_> {
    fn vrp(&self) -> Result<Until<Vrp>, String> {
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
        Ok(Until {
            entry: Vrp {
                prefix,
                max_len,
                asn,
            },
            expires_s: expiry_s(self.expires),
        })
    }
}

#[derive(serde::Deserialize)]
struct AspaEntry {
    /// Routinator's key, and rpki-client's.
    #[serde(alias = "customer_asid")]
    customer: AsnEntry,
    providers: Vec<AsnEntry>,
    expires: Option<i64>,
}

impl AspaEntry {
    fn into_aspa(self) -> Until<Aspa> {
        Until {
            entry: Aspa {
                customer: self.customer.0,
                providers: self.providers.into_iter().map(|asn| asn.0).collect(),
            },
            expires_s: expiry_s(self.expires),
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

    /// 2026-11-28T12:00:00Z, when both were made, and when the entries of the first expire.
    const MADE_S: u64 = 1_795_867_200;
    const EXPIRES_S: u64 = 1_795_910_400;

    fn until<T>(entry: T, expires_s: Option<u64>) -> Until<T> {
        Until { entry, expires_s }
    }

    fn file(vrps: &[Vrp], aspas: &[Aspa], expires_s: Option<u64>) -> VrpFile {
        let vrps = vrps.iter().map(|vrp| until(*vrp, expires_s));
        let aspas = aspas.iter().map(|aspa| until(aspa.clone(), expires_s));
        VrpFile::new(vrps.collect(), aspas.collect(), None)
    }

    fn whole(expires_s: Option<u64>) -> VrpFile {
        let vrps = [
            vrp("192.0.2.0/24", 24, 64496),
            vrp("2001:db8::/32", 48, 4_200_000_000),
        ];
        let aspas = [aspa(64496, &[64499, 64500]), aspa(64497, &[0])];
        VrpFile {
            made_s: Some(MADE_S),
            ..file(&vrps, &aspas, expires_s)
        }
    }

    #[test]
    fn files_of_both_validators_say_the_same_but_when_entries_expire() {
        assert_eq!(
            read(RPKI_CLIENT.as_bytes()).unwrap(),
            whole(Some(EXPIRES_S))
        );
        assert_eq!(read(ROUTINATOR.as_bytes()).unwrap(), whole(None));
    }

    #[test]
    fn when_a_file_was_made() {
        let cases = [
            ("Routinator says seconds", r#"{"generated": 7}"#, Some(7)),
            (
                "rpki-client says a date",
                r#"{"buildtime": "2026-11-28T12:00:00Z"}"#,
                Some(MADE_S),
            ),
            (
                "seconds go before a date",
                r#"{"generated": 7, "buildtime": "2026-11-28T12:00:00Z"}"#,
                Some(7),
            ),
            (
                "a date in another zone",
                r#"{"buildtime": "2026-11-28T13:00:00+01:00"}"#,
                Some(MADE_S),
            ),
            ("what is no date is none", r#"{"buildtime": "today"}"#, None),
            ("a date before 1970 is none", r#"{"generated": -7}"#, None),
            ("without a date there is none", r#"{"vrps": 7}"#, None),
            ("metadata may be anything", r#"[1]"#, None),
        ];
        for (case, metadata, expected) in cases {
            let text = format!(r#"{{"metadata": {metadata}, "roas": []}}"#);
            assert_eq!(read(text.as_bytes()).unwrap().made_s, expected, "{case}");
        }
    }

    #[test]
    fn what_of_a_file_counts_and_until_when() {
        let at = |now_s, max_age_s| FileTime { now_s, max_age_s };
        let entry = |number: u32, expires_s| {
            let vrp = vrp(&format!("192.0.{number}.0/24"), 24, number);
            until(vrp, expires_s)
        };
        let vrps = vec![entry(1, Some(200)), entry(2, Some(100)), entry(3, None)];
        let aspas = vec![until(aspa(9, &[8]), Some(300))];
        let dated = VrpFile::new(vrps.clone(), aspas.clone(), Some(50));
        let dateless = VrpFile::new(vrps, aspas, None);
        type Case<'a> = (&'a str, &'a VrpFile, FileTime, (usize, usize), Option<u64>);
        let cases: [Case<'_>; 10] = [
            ("all of it", &dated, at(60, Some(1_000)), (3, 1), Some(100)),
            (
                "an entry expires",
                &dated,
                at(100, Some(1_000)),
                (2, 1),
                Some(200),
            ),
            (
                "another one",
                &dated,
                at(250, Some(1_000)),
                (1, 1),
                Some(300),
            ),
            (
                "what is left has the age of the file",
                &dated,
                at(300, Some(1_000)),
                (1, 0),
                Some(1_050),
            ),
            (
                "a file a second before it is stale",
                &dated,
                at(149, Some(100)),
                (2, 1),
                Some(150),
            ),
            (
                "of a stale file nothing counts",
                &dated,
                at(150, Some(100)),
                (0, 0),
                None,
            ),
            (
                "age may be of no account",
                &dated,
                at(9_000, None),
                (1, 0),
                None,
            ),
            (
                "what expires does then, too",
                &dated,
                at(99, None),
                (3, 1),
                Some(100),
            ),
            (
                "a file without a date has no age",
                &dateless,
                at(9_000, Some(100)),
                (1, 0),
                None,
            ),
            (
                "a file of tomorrow is not old",
                &dated,
                at(10, Some(1)),
                (3, 1),
                Some(51),
            ),
        ];
        for (case, file, at, counts, next) in cases {
            let found = (file.vrps(at).count(), file.aspas(at).count());
            assert_eq!(found, counts, "{case}");
            assert_eq!(file.expires_next_s(at), next, "{case}: when less counts");
        }
    }

    #[test]
    fn what_a_file_may_leave_out() {
        let cases = [
            ("ASPAs", r#"{"roas":[]}"#, VrpFile::default()),
            (
                "VRPs",
                r#"{"aspas":[{"customer":"AS1","providers":["AS2"]}]}"#,
                file(&[], &[aspa(1, &[2])], None),
            ),
            (
                "a maximum length, which is the prefix length then, and AS before a number in quotes",
                r#"{"roas":[{"asn":"64496","prefix":"192.0.2.0/24"}]}"#,
                file(&[vrp("192.0.2.0/24", 24, 64496)], &[], None),
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
                "an end that is no number of seconds",
                roa(r#""asn":1,"prefix":"192.0.2.0/24","expires":"soon""#),
                "invalid type",
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
