//! Since when a thing has been in reports: tables keep no times of paths, so that is all that is known.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use crate::base::Time;
use crate::policy::PrefixRange;

use super::compare::{Item, Section};

/// Items that are remembered, of all clients together; the clients whose reports were made least
/// recently are forgotten first.
const REMEMBERED_MAX: usize = 500_000;

#[derive(Default)]
pub(super) struct Ages {
    /// Least recent first.
    clients: VecDeque<(IpAddr, Times)>,
}

/// Since when.
type Times = HashMap<(Section, PrefixRange), Time>;

impl Ages {
    /// A new report of a client: what is in it and was in the one before keeps its time, what is not is
    /// forgotten.
    pub fn handle_report(&mut self, now: Time, of: IpAddr, items: Vec<Item>) -> Vec<(Item, Time)> {
        let at = self.clients.iter().position(|(client, _)| *client == of);
        let before = at.and_then(|at| self.clients.remove(at));
        let before = before.map_or_else(Times::new, |(_, times)| times);
        let with_time = |item: Item| {
            let since = before.get(&(item.section, item.range)).copied();
            (item, since.unwrap_or(now))
        };
        let told: Vec<(Item, Time)> = items.into_iter().map(with_time).collect();
        let times = told
            .iter()
            .map(|(item, since)| ((item.section, item.range), *since));
        self.clients.push_back((of, times.collect()));
        while self.clients.len() > 1 && self.count() > REMEMBERED_MAX {
            self.clients.pop_front();
        }
        told
    }

    fn count(&self) -> usize {
        self.clients.iter().map(|(_, times)| times.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(prefix: &str) -> Item {
        Item {
            section: Section::NotAnnounced,
            range: prefix.parse().unwrap(),
            origin: None,
            reject: None,
            near: Vec::new(),
            vrps: Vec::new(),
        }
    }

    #[test]
    fn what_stays_keeps_its_time_and_what_comes_back_begins_anew() {
        let mut ages = Ages::default();
        let (a, b) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let mut told = |seconds, of, prefixes: &[&str]| -> Vec<u64> {
            let items = prefixes.iter().map(|prefix| item(prefix)).collect();
            let told = ages.handle_report(Time::from_secs(seconds), of, items);
            told.iter().map(|(_, since)| since.as_secs()).collect()
        };
        assert_eq!(told(1, a, &["10.0.0.0/8", "11.0.0.0/8"]), [1, 1]);
        assert_eq!(told(2, b, &["10.0.0.0/8"]), [2], "another client's");
        assert_eq!(told(3, a, &["10.0.0.0/8", "12.0.0.0/8"]), [1, 3]);
        assert_eq!(told(4, a, &["10.0.0.0/8", "11.0.0.0/8"]), [1, 4]);
    }
}
