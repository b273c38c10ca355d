//! RPKI data from RTR caches and files, put together. Owns which caches are asked, and what those said that
//! are asked no more.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;

use crate::base::Time;
use crate::config::RpkiFeed as RpkiSources;
use crate::outside::rtr::{CacheStatus, RpkiFeed, RtrCaches, RtrConfig};
use crate::outside::vrp_file::{self, VrpFile};
use crate::policy::{Aspa, AspaSet, Outside, Vrp, VrpSet};

/// What VRP files say, by name.
pub type VrpFiles = HashMap<PathBuf, Arc<VrpFile>>;

/// The caches that are configured.
#[derive(Default)]
pub struct Rtr {
    sources: RpkiSources,
    caches: Option<RtrCaches>,
    /// What was heard of those before, and until when it may stand in for these.
    carried: Option<(Arc<RpkiFeed>, Time)>,
    /// Something was heard since the start.
    has_come: bool,
}

/// What the caches say together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RtrSay {
    /// There are none.
    NotConfigured,
    /// None has answered since the start.
    NotYet,
    Feed(Arc<RpkiFeed>),
    /// What there was holds no more.
    Expired,
}

/// The feed of caches that are asked from now on.
pub type NewFeed = watch::Receiver<Option<Arc<RpkiFeed>>>;

impl Rtr {
    /// Asks the caches that are configured now, from within tokio. What others said holds until these
    /// have answered, or as long as it would have without them.
    pub fn follow(&mut self, sources: &RpkiSources, now: Time) -> Option<NewFeed> {
        if self.sources.caches == sources.caches && self.sources.expire == sources.expire {
            return None;
        }
        if let RtrSay::Feed(feed) = self.say(now) {
            self.carried = Some((feed, now + sources.expire));
        }
        self.sources = sources.clone();
        self.caches = None;
        if sources.caches.is_empty() {
            self.carried = None;
            return None;
        }
        let config = RtrConfig::new(sources.caches.clone(), sources.expire);
        let caches = RtrCaches::start(config);
        let feed = caches.feed();
        self.caches = Some(caches);
        Some(feed)
    }

    pub fn say(&mut self, now: Time) -> RtrSay {
        let Some(caches) = &self.caches else {
            return RtrSay::NotConfigured;
        };
        // A cache without a single VRP has nothing to say yet.
        let feed = caches.feed().borrow().clone();
        if let Some(feed) = feed.filter(|feed| !feed.vrps.is_empty()) {
            self.carried = None;
            self.has_come = true;
            return RtrSay::Feed(feed);
        }
        match &self.carried {
            Some((feed, until)) if now < *until => RtrSay::Feed(feed.clone()),
            _ if self.has_come => RtrSay::Expired,
            _ => RtrSay::NotYet,
        }
    }

    /// When what others said holds no more.
    pub fn carried_until(&self) -> Option<Time> {
        self.carried.as_ref().map(|(_, until)| *until)
    }

    pub fn statuses(&self) -> Vec<CacheStatus> {
        let caches = self.caches.as_ref();
        caches.map_or_else(Vec::new, RtrCaches::statuses)
    }
}

/// Reads the VRP files, and takes nothing into use. One that cannot be read, or has nothing, says what it
/// said before. Half a million VRPs take a moment.
pub fn read_vrps(sources: &RpkiSources, before: &VrpFiles) -> (VrpFiles, Vec<String>) {
    let mut files = VrpFiles::new();
    let mut problems = Vec::new();
    for file in &sources.vrp_files {
        let octets = std::fs::read(file).map_err(|error| error.to_string());
        let read =
            octets.and_then(|octets| vrp_file::read(&octets).map_err(|error| error.to_string()));
        let read = read.and_then(|said| match said.vrps.is_empty() && said.aspas.is_empty() {
            true => Err("there is nothing in it".to_owned()),
            false => Ok(said),
        });
        let known = before.get(file).cloned();
        if let Err(error) = &read {
            let kept = match known {
                Some(_) => "what it said before stays in use",
                None => "there is nothing to use in its place",
            };
            problems.push(format!("VRP file {}: {error}; {kept}", file.display()));
        }
        let said = read.map(Arc::new).ok().or(known);
        files.extend(said.map(|said| (file.clone(), said)));
    }
    problems
        .iter()
        .for_each(|problem| tracing::error!("{problem}"));
    (files, problems)
}

/// Puts together what all sources say, and remembers what it came to: a few changes cost little.
#[derive(Default)]
pub struct Merger {
    /// Of several sources: sorted, each once, and the set that was made of it.
    last: Option<(Vec<Vrp>, Arc<VrpSet>)>,
}

impl Merger {
    /// VRPs and ASPAs of caches and files together. Half a million new ones take a moment.
    pub fn merged(&mut self, say: &RtrSay, files: &VrpFiles, before: &Outside) -> Outside {
        let has_vrps = files.values().any(|file| !file.vrps.is_empty());
        let is_there = match say {
            RtrSay::Feed(_) => true,
            RtrSay::NotConfigured => has_vrps,
            // Files alone would let pass what the cache is asked for.
            RtrSay::NotYet => before.vrps.is_some(),
            // Nothing is covered any more (RFC 6811 §2), which is not as if nothing had ever come.
            RtrSay::Expired => true,
        };
        if !is_there {
            return Outside::default();
        }
        let feed = match say {
            RtrSay::Feed(feed) => Some(&**feed),
            _ => None,
        };
        let vrps = match feed.filter(|_| !has_vrps) {
            Some(feed) => feed.vrps.clone(),
            None => self.set_of(all_vrps(feed, files)),
        };
        // An equal set stays the one it was: what hangs on it sees that nothing changed.
        let vrps = match &before.vrps {
            Some(before) if *before == vrps => before.clone(),
            _ => vrps,
        };
        let aspas = aspas(feed, files);
        if let Some(before) = &before.vrps
            && vrps.len() < before.len() / 10 * 9
        {
            tracing::error!(
                before = before.len(),
                now = vrps.len(),
                "more than a tenth of the VRPs is gone at once"
            );
        }
        Outside {
            vrps: Some(vrps),
            aspas: (!aspas.is_empty()).then(|| keep_same(before.aspas.as_ref(), aspas)),
        }
    }

    /// One that came from the last set, so that the two are compared at little cost.
    fn set_of(&mut self, list: Vec<Vrp>) -> Arc<VrpSet> {
        let set = match self.last.take() {
            None => Arc::new(VrpSet::of_sorted(&list)),
            Some((known, set)) if known == list => set,
            Some((known, set)) => {
                let (added, removed) = changes(&known, &list);
                Arc::new(set.with_changes(&added, &removed))
            }
        };
        self.last = Some((list, set.clone()));
        set
    }
}

/// Sorted, each once.
fn all_vrps(feed: Option<&RpkiFeed>, files: &VrpFiles) -> Vec<Vrp> {
    let of_feed = feed.iter().flat_map(|feed| feed.vrps.iter());
    let of_files = files.values().flat_map(|file| file.vrps.iter().copied());
    let mut vrps: Vec<Vrp> = of_feed.chain(of_files).collect();
    vrps.sort_unstable();
    vrps.dedup();
    vrps
}

/// What has come and what has gone from one sorted list to another.
fn changes(before: &[Vrp], now: &[Vrp]) -> (Vec<Vrp>, Vec<Vrp>) {
    let (mut added, mut removed) = (Vec::new(), Vec::new());
    let (mut before, mut now) = (before.iter().peekable(), now.iter().peekable());
    loop {
        match (before.peek(), now.peek()) {
            (Some(a), Some(b)) if a == b => {
                before.next();
                now.next();
            }
            (Some(a), Some(b)) if a < b => removed.extend(before.next()),
            (Some(_), None) => removed.extend(before.next()),
            (_, Some(_)) => added.extend(now.next()),
            (None, None) => return (added, removed),
        }
    }
}

fn aspas(feed: Option<&RpkiFeed>, files: &VrpFiles) -> AspaSet {
    let of_feed = feed.iter().flat_map(|feed| feed.aspas.iter());
    let of_feed = of_feed.map(|(customer, providers)| Aspa {
        customer,
        providers: providers.to_vec(),
    });
    let of_files = files.values().flat_map(|file| file.aspas.iter().cloned());
    of_feed.chain(of_files).collect()
}

/// An equal value stays the one it was: what hangs on it sees that nothing changed.
fn keep_same<T: PartialEq>(before: Option<&Arc<T>>, now: T) -> Arc<T> {
    match before {
        Some(before) if **before == now => before.clone(),
        _ => Arc::new(now),
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::base::Asn;

    fn vrp(prefix: &str) -> Vrp {
        let prefix: crate::base::Prefix = prefix.parse().expect("it is one");
        Vrp {
            prefix,
            max_len: prefix.len(),
            asn: Asn(64_496),
        }
    }

    fn feed(prefixes: &[&str]) -> RtrSay {
        RtrSay::Feed(Arc::new(RpkiFeed {
            vrps: Arc::new(prefixes.iter().map(|prefix| vrp(prefix)).collect()),
            aspas: Arc::default(),
            has_aspa: false,
            source: "192.0.2.10:3323".to_owned(),
            serial: 1,
            at: SystemTime::UNIX_EPOCH,
        }))
    }

    #[test]
    fn sources_stand_in_for_each_other_only_where_that_opens_nothing() {
        let file = |prefixes: &[&str]| {
            let said = VrpFile {
                vrps: prefixes.iter().map(|prefix| vrp(prefix)).collect(),
                aspas: Vec::new(),
            };
            VrpFiles::from([(PathBuf::from("vrps.json"), Arc::new(said))])
        };
        let held = Merger::default().merged(
            &feed(&["192.0.2.0/24"]),
            &VrpFiles::new(),
            &Outside::default(),
        );
        let none = Outside::default();
        let cases: [(&str, RtrSay, VrpFiles, &Outside, Option<usize>); 9] = [
            (
                "a file alone is data",
                RtrSay::NotConfigured,
                file(&["192.0.2.0/24"]),
                &none,
                Some(1),
            ),
            (
                "an empty file is none",
                RtrSay::NotConfigured,
                file(&[]),
                &none,
                None,
            ),
            (
                "no file is none",
                RtrSay::NotConfigured,
                VrpFiles::new(),
                &none,
                None,
            ),
            (
                "a file does not stand in for a cache that was never heard",
                RtrSay::NotYet,
                file(&["192.0.2.0/24"]),
                &none,
                None,
            ),
            (
                "where files were all there was, a new cache takes nothing away",
                RtrSay::NotYet,
                file(&["192.0.2.0/24"]),
                &held,
                Some(1),
            ),
            (
                "a cache is data",
                feed(&["192.0.2.0/24"]),
                VrpFiles::new(),
                &none,
                Some(1),
            ),
            (
                "cache and file are one",
                feed(&["192.0.2.0/24"]),
                file(&["198.51.100.0/24", "192.0.2.0/24"]),
                &none,
                Some(2),
            ),
            (
                "what has expired leaves what files say",
                RtrSay::Expired,
                file(&["198.51.100.0/24"]),
                &held,
                Some(1),
            ),
            (
                "what has expired is not what never came",
                RtrSay::Expired,
                VrpFiles::new(),
                &held,
                Some(0),
            ),
        ];
        for (case, say, files, before, expected) in cases {
            let outside = Merger::default().merged(&say, &files, before);
            assert_eq!(outside.vrps.map(|vrps| vrps.len()), expected, "{case}");
        }
    }

    #[test]
    fn equal_data_stays_the_same_value() {
        let file = |prefixes: &[&str]| {
            let said = VrpFile {
                vrps: prefixes.iter().map(|prefix| vrp(prefix)).collect(),
                aspas: Vec::new(),
            };
            VrpFiles::from([(PathBuf::from("vrps.json"), Arc::new(said))])
        };
        let (a, b) = ("192.0.2.0/24", "198.51.100.0/24");
        let cases: [(&str, RtrSay, VrpFiles, usize, bool); 5] = [
            ("of a cache", feed(&[b, a]), VrpFiles::new(), 2, false),
            (
                "of the same cache, loaded anew",
                feed(&[a, b]),
                VrpFiles::new(),
                2,
                true,
            ),
            (
                "of a cache and a file that says the same",
                feed(&[a, b]),
                file(&[b]),
                2,
                true,
            ),
            ("part by part of each", feed(&[a]), file(&[b]), 2, true),
            (
                "of the file alone",
                RtrSay::NotConfigured,
                file(&[b]),
                1,
                false,
            ),
        ];
        let mut merger = Merger::default();
        let mut before = Outside::default();
        for (case, say, files, count, is_same) in cases {
            let now = merger.merged(&say, &files, &before);
            let pair = before.vrps.as_ref().zip(now.vrps.as_ref());
            let kept = pair.is_some_and(|(a, b)| Arc::ptr_eq(a, b));
            let len = now.vrps.as_ref().map(|vrps| vrps.len());
            assert_eq!((kept, len), (is_same, Some(count)), "{case}");
            before = now;
        }
    }
}
