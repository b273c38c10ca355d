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
use crate::policy::{Aspa, AspaSet, Outside, PrefixBlocks, Vrp, VrpSet};

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
    /// Sorted, each once, and the set that was made of it.
    last: Option<(Arc<Vec<Vrp>>, Arc<VrpSet>)>,
    /// Where the last two sets differ.
    change: Option<VrpChange>,
}

/// Where two sets differ.
#[derive(Clone)]
pub struct VrpChange {
    pub before: Arc<VrpSet>,
    pub now: Arc<VrpSet>,
    pub blocks: Arc<PrefixBlocks>,
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
        let vrps = self.set_of(all_vrps(feed, files), before.vrps.as_ref());
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

    /// An equal set stays the one it was: what hangs on it sees that nothing changed.
    fn set_of(&mut self, list: Arc<Vec<Vrp>>, before: Option<&Arc<VrpSet>>) -> Arc<VrpSet> {
        let last = self.last.take();
        let last = last.filter(|(_, set)| before.is_some_and(|before| Arc::ptr_eq(before, set)));
        let Some((known, set)) = last else {
            let set = Arc::new(VrpSet::of_sorted(&list));
            self.last = Some((list, set.clone()));
            return set;
        };
        if Arc::ptr_eq(&known, &list) {
            self.last = Some((known, set.clone()));
            return set;
        }
        let (added, removed) = changes(&known, &list);
        if added.is_empty() && removed.is_empty() {
            self.last = Some((list, set.clone()));
            return set;
        }
        let now = Arc::new(set.with_changes(&added, &removed));
        let changed = added.iter().chain(&removed).map(|vrp| vrp.prefix);
        self.change = Some(VrpChange {
            before: set,
            now: now.clone(),
            blocks: Arc::new(changed.collect()),
        });
        self.last = Some((list, now.clone()));
        now
    }

    /// Where these two differ, if they are the last two.
    pub fn change(&self, before: &Arc<VrpSet>, now: &Arc<VrpSet>) -> Option<Arc<PrefixBlocks>> {
        let is_it = |change: &&VrpChange| {
            Arc::ptr_eq(&change.before, before) && Arc::ptr_eq(&change.now, now)
        };
        let change = self.change.as_ref().filter(is_it);
        change.map(|change| change.blocks.clone())
    }
}

/// Sorted, each once.
fn all_vrps(feed: Option<&RpkiFeed>, files: &VrpFiles) -> Arc<Vec<Vrp>> {
    if let Some(feed) = feed
        && files.values().all(|file| file.vrps.is_empty())
    {
        return feed.vrps.clone();
    }
    let mut vrps: Vec<Vrp> = Vec::new();
    if let Some(feed) = feed {
        vrps.extend_from_slice(&feed.vrps);
    }
    vrps.extend(files.values().flat_map(|file| file.vrps.iter().copied()));
    vrps.sort_unstable();
    vrps.dedup();
    Arc::new(vrps)
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
    fn equal_data_stays_the_same_value_and_a_change_is_told() {
        let mut merger = Merger::default();
        let files = VrpFiles::new();
        let mut step = |prefixes: &[&str], before: &Outside| {
            let outside = merger.merged(&feed(prefixes), &files, before);
            let pair = before.vrps.as_ref().zip(outside.vrps.as_ref());
            let is_same = pair.is_some_and(|(a, b)| Arc::ptr_eq(a, b));
            let blocks = pair.and_then(|(a, b)| merger.change(a, b));
            (outside, is_same, blocks.map(|blocks| blocks.len()))
        };
        let (once, _, _) = step(&["192.0.2.0/24", "198.51.100.0/24"], &Outside::default());
        let (again, is_same, _) = step(&["192.0.2.0/24", "198.51.100.0/24"], &once);
        assert!(is_same, "equal lists are one set");
        let (other, is_same, blocks) = step(&["192.0.2.0/24", "203.0.113.0/24"], &again);
        assert_eq!((is_same, blocks), (false, Some(2)), "one gone, one come");
        let anew = [vrp("192.0.2.0/24"), vrp("203.0.113.0/24")];
        let set = other.vrps.as_deref().cloned();
        assert_eq!(set, Some(VrpSet::of_sorted(&anew)));
        // What was made of other data before does not count.
        let (_, _, blocks) = step(&["192.0.2.0/24"], &once);
        assert_eq!(blocks, None);
    }
}
