//! RPKI data from RTR caches and files, put together. Owns which caches are asked, and what those said that
//! are asked no more.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::watch;

use crate::base::Time;
use crate::config::RpkiFeed as RpkiSources;
use crate::outside::rtr::{CacheStatus, RpkiFeed, RtrCaches, RtrConfig};
use crate::outside::vrp_file::FileTime;
use crate::policy::{Aspa, AspaSet, Outside, Vrp, VrpSet};

use super::vrp_files::VrpFiles;

/// The caches that are configured.
#[derive(Default)]
pub struct Rtr {
    sources: RpkiSources,
    caches: Option<RtrCaches>,
    /// What was heard of those before, which may stand in for these.
    carried: Option<Heard>,
    /// Something was heard since there are any.
    has_come: bool,
}

/// What caches said that are asked no more.
#[derive(Clone)]
struct Heard {
    caches: Vec<SocketAddr>,
    feed: Arc<RpkiFeed>,
    until: Time,
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
        self.carried = self.heard(sources, now);
        self.sources = sources.clone();
        self.caches = None;
        if sources.caches.is_empty() {
            self.has_come = false;
            return None;
        }
        let config = RtrConfig::new(sources.caches.clone(), sources.expire);
        let caches = RtrCaches::start(config);
        let feed = caches.feed();
        self.caches = Some(caches);
        Some(feed)
    }

    /// What the caches of a configuration say, or would if it came into force now: those that it does not
    /// name say nothing any more, but for as long as those that it does are not heard. `None`: of this one.
    pub fn say(&mut self, sources: Option<&RpkiSources>, now: Time) -> RtrSay {
        let own = self.sources.clone();
        let sources = sources.unwrap_or(&own);
        if sources.caches.is_empty() {
            return RtrSay::NotConfigured;
        }
        match self.heard(sources, now) {
            Some(heard) => RtrSay::Feed(heard.feed),
            None if self.has_come => RtrSay::Expired,
            None => RtrSay::NotYet,
        }
    }

    /// What there is for this configuration: best what its own caches said.
    fn heard(&mut self, sources: &RpkiSources, now: Time) -> Option<Heard> {
        self.carried.take_if(|carried| carried.until <= now);
        let own = |carried: &&Heard| carried.caches == sources.caches;
        let back = (self.carried.as_ref()).filter(|_| self.sources.caches != sources.caches);
        if let Some(back) = back.filter(own) {
            return Some(back.clone());
        }
        let caches = self.caches.as_ref()?;
        let Some(feed) = caches.feed().borrow().clone() else {
            return self.carried.clone();
        };
        self.has_come = true;
        Some(Heard {
            caches: self.sources.caches.clone(),
            feed,
            until: now + self.sources.expire,
        })
    }

    /// When what others said holds no more.
    pub fn carried_until(&self) -> Option<Time> {
        self.carried.as_ref().map(|carried| carried.until)
    }

    pub fn statuses(&self) -> Vec<CacheStatus> {
        let caches = self.caches.as_ref();
        caches.map_or_else(Vec::new, RtrCaches::statuses)
    }
}

/// Puts together what all sources say, and remembers what it came to: a few changes cost little.
#[derive(Default)]
pub struct Merger {
    /// Of several sources: sorted, each once, and the set that was made of it.
    last: Option<(Vec<Vrp>, Arc<VrpSet>)>,
}

impl Merger {
    /// VRPs and ASPAs of caches and files together, those that count. Half a million new ones take a
    /// moment.
    pub fn merged(
        &mut self,
        say: &RtrSay,
        (files, at): (&VrpFiles, FileTime),
        before: &Outside,
    ) -> Outside {
        let has_vrps = has_vrps(files, at);
        let had_vrps = before.vrps.is_some() && files.values().any(|file| file.has_vrps());
        let is_there = match say {
            RtrSay::Feed(_) => true,
            // What counts no more was there, as with a cache.
            RtrSay::NotConfigured => has_vrps || had_vrps,
            // Files alone would let pass what the cache is asked for.
            RtrSay::NotYet => before.vrps.is_some(),
            // Nothing is covered any more (RFC 6811 §2), which is not as if nothing had ever come.
            RtrSay::Expired => true,
        };
        if !is_there {
            return Outside::default();
        }
        if *say == RtrSay::NotYet && files.is_empty() {
            // A cache in place of files: what those said holds until it is heard.
            return before.clone();
        }
        let feed = match say {
            RtrSay::Feed(feed) => Some(&**feed),
            _ => None,
        };
        let vrps = match feed.filter(|_| !has_vrps) {
            Some(feed) => feed.vrps.clone(),
            None => self.set_of(all_vrps(feed, (files, at))),
        };
        // An equal set stays the one it was: what hangs on it sees that nothing changed.
        let vrps = match &before.vrps {
            Some(before) if *before == vrps => before.clone(),
            _ => vrps,
        };
        let aspas = aspas(feed, (files, at));
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

fn has_vrps(files: &VrpFiles, at: FileTime) -> bool {
    files.values().any(|file| file.vrps(at).next().is_some())
}

/// Sorted, each once.
fn all_vrps(feed: Option<&RpkiFeed>, (files, at): (&VrpFiles, FileTime)) -> Vec<Vrp> {
    let of_feed = feed.iter().flat_map(|feed| feed.vrps.iter());
    let of_files = files.values().flat_map(|file| file.vrps(at));
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

fn aspas(feed: Option<&RpkiFeed>, (files, at): (&VrpFiles, FileTime)) -> AspaSet {
    let of_feed = feed.iter().flat_map(|feed| feed.aspas.iter());
    let of_feed = of_feed.map(|(customer, providers)| Aspa {
        customer,
        providers: providers.to_vec(),
    });
    let of_files = files.values().flat_map(|file| file.aspas(at)).cloned();
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
    use std::path::PathBuf;
    use std::time::SystemTime;

    use super::*;
    use crate::base::Asn;
    use crate::outside::vrp_file::{Until, VrpFile};

    const NOW: FileTime = FileTime {
        now_s: 1_000,
        max_age_s: Some(100),
    };

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
        let made = |prefixes: &[&str], made_s, expires_s| {
            let until = |prefix: &&str| Until {
                entry: vrp(prefix),
                expires_s,
            };
            let said = VrpFile::new(prefixes.iter().map(until).collect(), vec![], Some(made_s));
            VrpFiles::from([(PathBuf::from("vrps.json"), Arc::new(said))])
        };
        let file = |prefixes: &[&str]| made(prefixes, 950, Some(1_001));
        let stale = |prefixes: &[&str]| made(prefixes, 900, None);
        let expired = |prefixes: &[&str]| made(prefixes, 950, Some(1_000));
        let held = Merger::default().merged(
            &feed(&["192.0.2.0/24"]),
            (&VrpFiles::new(), NOW),
            &Outside::default(),
        );
        let none = Outside::default();
        let cases: [(&str, RtrSay, VrpFiles, &Outside, Option<usize>); 16] = [
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
                "where a cache takes the place of files, they are in use until it is heard",
                RtrSay::NotYet,
                VrpFiles::new(),
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
                "a file that was stale all along never came",
                RtrSay::NotConfigured,
                stale(&["192.0.2.0/24"]),
                &none,
                None,
            ),
            (
                "a file that becomes stale is like a cache that has expired",
                RtrSay::NotConfigured,
                stale(&["192.0.2.0/24"]),
                &held,
                Some(0),
            ),
            (
                "entries that expire are, too",
                RtrSay::NotConfigured,
                expired(&["192.0.2.0/24"]),
                &held,
                Some(0),
            ),
            (
                "a stale file adds nothing to a cache",
                feed(&["192.0.2.0/24"]),
                stale(&["198.51.100.0/24"]),
                &held,
                Some(1),
            ),
            (
                "a file that is configured no more is not stale",
                RtrSay::NotConfigured,
                VrpFiles::new(),
                &held,
                None,
            ),
            (
                "a stale file leaves nothing of a cache that has expired",
                RtrSay::Expired,
                stale(&["198.51.100.0/24"]),
                &held,
                Some(0),
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
            let outside = Merger::default().merged(&say, (&files, NOW), before);
            assert_eq!(outside.vrps.map(|vrps| vrps.len()), expected, "{case}");
        }
    }

    #[test]
    fn equal_data_stays_the_same_value() {
        let file = |prefixes: &[&str]| {
            let until = |prefix: &&str| Until {
                entry: vrp(prefix),
                expires_s: None,
            };
            let said = VrpFile::new(prefixes.iter().map(until).collect(), vec![], Some(950));
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
            let now = merger.merged(&say, (&files, NOW), &before);
            let pair = before.vrps.as_ref().zip(now.vrps.as_ref());
            let kept = pair.is_some_and(|(a, b)| Arc::ptr_eq(a, b));
            let len = now.vrps.as_ref().map(|vrps| vrps.len());
            assert_eq!((kept, len), (is_same, Some(count)), "{case}");
            before = now;
        }
    }
}
