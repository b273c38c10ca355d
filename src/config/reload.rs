//! `[reload]`: how much a reload may take away before it is refused.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::reader::{Entry, Reader};

/// `[reload]`; `None` is no bound.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ReloadLimits {
    /// Accepted paths that would be rejected or withdrawn.
    pub max_rejected: Option<Bound>,
    /// Prefixes that clients would lose their last path of, summed over the clients.
    pub max_lost: Option<Bound>,
    /// Sessions that would begin anew: while they do, what they announce is gone, and no path is counted as lost.
    pub max_restarts: Option<Bound>,
}

/// So many, or such a part of what is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Bound {
    Count(u64),
    /// In hundredths of a percent.
    Share(u32),
}

const EXPECTED: &str = "a number such as 1000, a part such as \"5%\", or \"none\"";

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("'{0}' is neither a number such as 1000 nor a part such as 5%")]
pub struct BoundError(String);

impl ReloadLimits {
    pub fn read(reader: Option<Reader<'_>>) -> ReloadLimits {
        let Some(reader) = reader else {
            return ReloadLimits::default();
        };
        let bound = |key| reader.entry(key).and_then(|entry| bound(&entry));
        let limits = ReloadLimits {
            max_rejected: bound("max_rejected"),
            max_lost: bound("max_lost"),
            max_restarts: bound("max_restarts"),
        };
        reader.finish();
        limits
    }
}

fn bound(entry: &Entry<'_>) -> Option<Bound> {
    let value = entry.value();
    if value.as_str() == Some("none") {
        return None;
    }
    let text = value.as_str().or_else(|| {
        let number = value.as_integer()?;
        (number.radix() == 10).then_some(number.as_str())
    });
    let read = text.and_then(|text| text.parse().ok());
    read.or_else(|| entry.expected(EXPECTED))
}

impl Bound {
    /// Whether `count` of `all` is more.
    pub fn is_under(self, count: u64, all: u64) -> bool {
        match self {
            Bound::Count(max) => max < count,
            Bound::Share(share) => u128::from(share) * u128::from(all) < u128::from(count) * 10_000,
        }
    }
}

impl FromStr for Bound {
    type Err = BoundError;

    fn from_str(text: &str) -> Result<Bound, BoundError> {
        let wrong = || BoundError(text.to_owned());
        let Some(percent) = text.strip_suffix('%') else {
            return text.parse().map(Bound::Count).map_err(|_| wrong());
        };
        let (whole, part) = percent
            .trim_end()
            .split_once('.')
            .unwrap_or((percent.trim_end(), ""));
        if part.len() > 2 || !part.bytes().all(|octet| octet.is_ascii_digit()) {
            return Err(wrong());
        }
        let whole: u32 = whole.parse().map_err(|_| wrong())?;
        let part: u32 = format!("{part:0<2}").parse().map_err(|_| wrong())?;
        match whole.saturating_mul(100).saturating_add(part) {
            share @ 0..=10_000 => Ok(Bound::Share(share)),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bound::Count(count) => count.fmt(f),
            Bound::Share(share) if share % 100 == 0 => write!(f, "{}%", share / 100),
            Bound::Share(share) if share % 10 == 0 => {
                write!(f, "{}.{}%", share / 100, share / 10 % 10)
            }
            Bound::Share(share) => write!(f, "{}.{:02}%", share / 100, share % 100),
        }
    }
}

impl From<Bound> for String {
    fn from(bound: Bound) -> String {
        bound.to_string()
    }
}

impl TryFrom<String> for Bound {
    type Error = BoundError;

    fn try_from(text: String) -> Result<Bound, BoundError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_read_and_written_alike() {
        for text in ["0", "1000", "5%", "0%", "100%", "2.5%", "0.05%", "99.99%"] {
            assert_eq!(text.parse::<Bound>().unwrap().to_string(), text);
        }
        assert_eq!("5 %".parse(), Ok(Bound::Share(500)));
        for text in [
            "",
            "%",
            "-1",
            "5 percent",
            "101%",
            "0.001%",
            "1.x%",
            ".5%",
            "1e3",
        ] {
            assert!(text.parse::<Bound>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_bound_is_passed_by_more_than_it() {
        let cases = [
            ("as many as it says are not more", "10", 10, 10, false),
            ("one more is", "10", 11, 1_000_000, true),
            ("just such a part is not more", "5%", 50, 1_000, false),
            ("one more than the part is", "5%", 51, 1_000, true),
            (
                "nothing of nothing is not more than nothing",
                "0%",
                0,
                0,
                false,
            ),
            ("one is more than no part", "0%", 1, u64::MAX, true),
            (
                "parts of large tables do not overflow",
                "0.01%",
                u64::MAX,
                u64::MAX,
                true,
            ),
        ];
        for (name, bound, count, all, is_under) in cases {
            let bound: Bound = bound.parse().unwrap();
            assert_eq!(bound.is_under(count, all), is_under, "{name}");
        }
    }
}
