//! Two tables of one client. Pure.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::base::Prefix;

use super::super::paint::{Paint, Tone};

/// By prefix, each path in words; sorted.
pub type Routes = BTreeMap<Prefix, Vec<String>>;

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Difference {
    pub prefix: String,
    /// Paths that A has and B has not, and the other way round.
    pub a: Vec<String>,
    pub b: Vec<String>,
}

/// In the order of prefixes.
pub fn differences(a: &Routes, b: &Routes) -> Vec<Difference> {
    let none = Vec::new();
    let mut prefixes: Vec<&Prefix> = a.keys().chain(b.keys()).collect();
    prefixes.sort_unstable();
    prefixes.dedup();
    let of = |prefix: &Prefix| {
        let (at_a, at_b) = (
            a.get(prefix).unwrap_or(&none),
            b.get(prefix).unwrap_or(&none),
        );
        let difference = Difference {
            prefix: prefix.to_string(),
            a: without(at_a, at_b),
            b: without(at_b, at_a),
        };
        (!difference.a.is_empty() || !difference.b.is_empty()).then_some(difference)
    };
    prefixes.into_iter().filter_map(of).collect()
}

/// Each as often as it is there once more.
fn without(these: &[String], those: &[String]) -> Vec<String> {
    let mut left: Vec<&String> = those.iter().collect();
    let mut alone = Vec::new();
    for path in these {
        match left.iter().position(|other| *other == path) {
            Some(at) => {
                left.swap_remove(at);
            }
            None => alone.push(path.clone()),
        }
    }
    alone
}

impl Difference {
    pub fn text(&self, paint: Paint) -> String {
        let head = match (self.a.is_empty(), self.b.is_empty()) {
            (false, true) => "at A alone",
            (true, false) => "at B alone",
            _ => "other at A than at B",
        };
        let mut text = format!("    {:<20} {head}\n", self.prefix);
        for (paths, side, tone) in [(&self.a, "A", Tone::Bad), (&self.b, "B", Tone::Good)] {
            for path in paths {
                text += &format!("      {} {path}\n", paint.paint(tone, side));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(of: &[(&str, &[&str])]) -> Routes {
        let one = |(prefix, paths): &(&str, &[&str])| {
            let paths = paths.iter().map(|path| (*path).to_owned()).collect();
            (prefix.parse().unwrap(), paths)
        };
        of.iter().map(one).collect()
    }

    #[test]
    fn only_what_differs_is_told_on_its_side() {
        let a = routes(&[
            ("10.0.0.0/8", &["same"]),
            ("11.0.0.0/8", &["one"]),
            ("12.0.0.0/8", &["only"]),
            ("13.0.0.0/8", &["x", "x", "y"]),
        ]);
        let b = routes(&[
            ("10.0.0.0/8", &["same"]),
            ("11.0.0.0/8", &["other"]),
            ("13.0.0.0/8", &["y", "x"]),
            ("2001:db8::/32", &["only"]),
        ]);
        let told: Vec<(String, String, String)> = differences(&a, &b)
            .into_iter()
            .map(|it| (it.prefix, it.a.join("+"), it.b.join("+")))
            .collect();
        let expected = [
            ("11.0.0.0/8", "one", "other"),
            ("12.0.0.0/8", "only", ""),
            ("13.0.0.0/8", "x", ""),
            ("2001:db8::/32", "", "only"),
        ];
        assert_eq!(
            told,
            expected.map(|(p, a, b)| (p.to_owned(), a.to_owned(), b.to_owned()))
        );
    }
}
