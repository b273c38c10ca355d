//! What a cache has said: VRPs and ASPAs, and the changes to them that one exchange brings.
//! Knows nothing of sockets or of other caches. Takes its time: not for a thread that others wait for.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::Asn;
use crate::policy::{Aspa, AspaSet, Vrp, VrpSet};

use super::pdu::{EndOfData, error_code};

/// All that a cache has said so far.
#[derive(Clone, Default, Debug)]
pub struct Payload {
    pub vrps: Arc<VrpSet>,
    pub aspas: Arc<AspaSet>,
}

/// What one exchange brings, in the order of the PDUs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Update {
    /// Whether it takes the place of what was said before.
    pub is_reset: bool,
    pub version: u8,
    pub vrps: Vec<(Vrp, bool)>,
    pub aspas: Vec<(Aspa, bool)>,
    pub end: EndOfData,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ApplyError {
    #[error("it announced twice VRP {} to {} of AS{}", .0.prefix, .0.max_len, .0.asn)]
    DuplicateVrp(Vrp),
    #[error("it withdrew what it had not announced: VRP {} to {} of AS{}", .0.prefix, .0.max_len, .0.asn)]
    UnknownVrp(Vrp),
    #[error("it withdrew what it had not announced: ASPA of AS{0}")]
    UnknownAspa(Asn),
    #[error("it has more than {0} VRPs, ASPAs and providers of those")]
    TooMany(usize),
}

impl ApplyError {
    pub fn code(&self) -> u16 {
        match self {
            ApplyError::DuplicateVrp(_) => error_code::DUPLICATE_ANNOUNCEMENT,
            ApplyError::UnknownVrp(_) | ApplyError::UnknownAspa(_) => {
                error_code::WITHDRAWAL_OF_UNKNOWN
            }
            ApplyError::TooMany(_) => error_code::INTERNAL_ERROR,
        }
    }
}

impl Payload {
    /// What there is after an update; parts without a change are the same `Arc`s. `entries_max` bounds VRPs,
    /// ASPAs and their providers together.
    pub fn apply(&self, update: Update, entries_max: usize) -> Result<Payload, ApplyError> {
        let unchanged = |len: usize| len == 0 && !update.is_reset;
        let vrps = match unchanged(update.vrps.len()) {
            true => self.vrps.clone(),
            false => {
                let vrps = match update.is_reset {
                    true => load_vrps(update.vrps)?,
                    false => change_vrps(&self.vrps, update.vrps)?,
                };
                keep_if_equal(&self.vrps, vrps)
            }
        };
        let aspas = match unchanged(update.aspas.len()) {
            true => self.aspas.clone(),
            false => {
                let none = AspaSet::default();
                let before = if update.is_reset { &none } else { &*self.aspas };
                keep_if_equal(&self.aspas, merge_aspas(before, update.aspas)?)
            }
        };
        let payload = Payload { vrps, aspas };
        match payload.entry_count() > entries_max {
            true => Err(ApplyError::TooMany(entries_max)),
            false => Ok(payload),
        }
    }

    fn entry_count(&self) -> usize {
        let of_aspa = |(_, providers): (Asn, &[Asn])| 1 + providers.len();
        self.vrps.len() + self.aspas.iter().map(of_aspa).sum::<usize>()
    }
}

fn keep_if_equal<T: PartialEq>(before: &Arc<T>, now: T) -> Arc<T> {
    match **before == now {
        true => before.clone(),
        false => Arc::new(now),
    }
}

/// All there is. What is announced twice does no harm here.
fn load_vrps(mut said: Vec<(Vrp, bool)>) -> Result<VrpSet, ApplyError> {
    said.sort_by_key(|(vrp, _)| *vrp);
    let mut vrps = Vec::with_capacity(said.len());
    for of_one in said.chunk_by(|(a, _), (b, _)| a == b) {
        let mut is_there = false;
        for &(vrp, is_announced) in of_one {
            if !is_there && !is_announced {
                return Err(ApplyError::UnknownVrp(vrp));
            }
            is_there = is_announced;
        }
        vrps.extend(of_one.first().filter(|_| is_there).map(|(vrp, _)| *vrp));
    }
    Ok(VrpSet::of_sorted(&vrps))
}

/// A change that changes nothing says that the two sides disagree (RFC 8210 §12).
fn change_vrps(before: &VrpSet, mut changes: Vec<(Vrp, bool)>) -> Result<VrpSet, ApplyError> {
    changes.sort_by_key(|(vrp, _)| *vrp);
    let (mut added, mut removed) = (Vec::new(), Vec::new());
    for of_one in changes.chunk_by(|(a, _), (b, _)| a == b) {
        let Some(&(vrp, _)) = of_one.first() else {
            continue;
        };
        let was_there = before.contains(&vrp);
        let mut is_there = was_there;
        for (_, is_announced) in of_one {
            match (is_there, is_announced) {
                (true, true) => return Err(ApplyError::DuplicateVrp(vrp)),
                (false, false) => return Err(ApplyError::UnknownVrp(vrp)),
                _ => is_there = *is_announced,
            }
        }
        match (was_there, is_there) {
            (false, true) => added.push(vrp),
            (true, false) => removed.push(vrp),
            _ => {}
        }
    }
    Ok(before.with_changes(&added, &removed))
}

/// An announcement takes the place of the one before (8210bis §5.12).
fn merge_aspas(before: &AspaSet, changes: Vec<(Aspa, bool)>) -> Result<AspaSet, ApplyError> {
    let mut by_customer: BTreeMap<Asn, Vec<Asn>> = before
        .iter()
        .map(|(customer, providers)| (customer, providers.to_vec()))
        .collect();
    for (
        Aspa {
            customer,
            providers,
        },
        is_announced,
    ) in changes
    {
        if is_announced {
            by_customer.insert(customer, providers);
        } else if by_customer.remove(&customer).is_none() {
            return Err(ApplyError::UnknownAspa(customer));
        }
    }
    let aspas = by_customer.into_iter();
    Ok(aspas
        .map(|(customer, providers)| Aspa {
            customer,
            providers,
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn vrp(number: u8) -> Vrp {
        Vrp {
            prefix: format!("10.{number}.0.0/16").parse().unwrap(),
            max_len: 16,
            asn: Asn(1),
        }
    }

    fn aspa(customer: u32, providers: &[u32]) -> Aspa {
        Aspa {
            customer: Asn(customer),
            providers: providers.iter().copied().map(Asn).collect(),
        }
    }

    fn update(is_reset: bool, vrps: &[(u8, bool)], aspas: Vec<(Aspa, bool)>) -> Update {
        Update {
            is_reset,
            version: 2,
            vrps: vrps
                .iter()
                .map(|(number, up)| (vrp(*number), *up))
                .collect(),
            aspas,
            end: EndOfData {
                session: 1,
                serial: 1,
                intervals: None,
            },
        }
    }

    fn loaded() -> Payload {
        let aspas = vec![(aspa(1, &[7]), true), (aspa(2, &[8]), true)];
        let load = update(true, &[(3, true), (1, true), (2, true)], aspas);
        Payload::default().apply(load, 7).unwrap()
    }

    /// What it is, whether it is a load, what changes, and what is held then.
    type Case = (
        &'static str,
        bool,
        &'static [(u8, bool)],
        Result<&'static [u8], ApplyError>,
    );

    #[test]
    fn updates_of_vrps() {
        let duplicate = ApplyError::DuplicateVrp(vrp(2));
        let unknown = ApplyError::UnknownVrp(vrp(9));
        let cases: [Case; 9] = [
            ("nothing changes nothing", false, &[], Ok(&[1, 2, 3])),
            (
                "one comes, one goes",
                false,
                &[(2, false), (4, true)],
                Ok(&[1, 3, 4]),
            ),
            (
                "one goes and comes back",
                false,
                &[(2, false), (2, true)],
                Ok(&[1, 2, 3]),
            ),
            (
                "one comes and goes",
                false,
                &[(4, true), (4, false)],
                Ok(&[1, 2, 3]),
            ),
            ("a load replaces all", true, &[(9, true)], Ok(&[9])),
            (
                "a load may say a thing twice",
                true,
                &[(9, true), (9, true)],
                Ok(&[9]),
            ),
            ("an update may not", false, &[(2, true)], Err(duplicate)),
            (
                "what is not there cannot go",
                false,
                &[(9, false)],
                Err(unknown),
            ),
            (
                "there is a bound",
                false,
                &[(9, true)],
                Err(ApplyError::TooMany(7)),
            ),
        ];
        for (case, is_reset, changes, expected) in cases {
            let after = loaded().apply(update(is_reset, changes, vec![]), 7);
            let expected = expected.map(|all| all.iter().copied().map(vrp).collect::<Vec<_>>());
            assert_eq!(
                after.map(|payload| payload.vrps.iter().collect::<Vec<_>>()),
                expected,
                "{case}"
            );
        }
    }

    #[test]
    fn updates_of_aspas() {
        let set = |aspas: &[Aspa]| Ok(aspas.iter().cloned().collect::<AspaSet>());
        let (one, two) = (aspa(1, &[7]), aspa(2, &[8]));
        let other = aspa(2, &[9]);
        let cases = [
            (
                "nothing changes nothing",
                false,
                vec![],
                set(&[one.clone(), two.clone()]),
            ),
            (
                "a second announcement replaces the first",
                false,
                vec![(other.clone(), true)],
                set(&[one.clone(), other]),
            ),
            (
                "a withdrawal takes all of a customer",
                false,
                vec![(aspa(1, &[]), false)],
                set(&[two]),
            ),
            (
                "a load replaces all",
                true,
                vec![(aspa(5, &[6]), true)],
                set(&[aspa(5, &[6])]),
            ),
            (
                "what is not there cannot go",
                false,
                vec![(aspa(5, &[]), false)],
                Err(ApplyError::UnknownAspa(Asn(5))),
            ),
            (
                "as many as may be",
                false,
                vec![(aspa(3, &[7]), true)],
                set(&[aspa(1, &[7]), aspa(2, &[8]), aspa(3, &[7])]),
            ),
            (
                "each provider counts",
                false,
                vec![(aspa(3, &[7, 8]), true)],
                Err(ApplyError::TooMany(9)),
            ),
        ];
        for (case, is_reset, changes, expected) in cases {
            let after = loaded().apply(update(is_reset, &[], changes), 9);
            assert_eq!(
                after.map(|payload| (*payload.aspas).clone()),
                expected,
                "{case}"
            );
        }
    }

    #[test]
    fn what_does_not_change_is_not_made_anew() {
        let before = loaded();
        let aspas = vec![(aspa(1, &[7]), true), (aspa(2, &[8]), true)];
        let again = update(true, &[(1, true), (2, true), (3, true)], aspas);
        for (case, update) in [
            ("an empty update", update(false, &[], vec![])),
            ("the same load", again),
        ] {
            let after = before.apply(update, 9).unwrap();
            assert!(Arc::ptr_eq(&before.vrps, &after.vrps), "{case}");
            assert!(Arc::ptr_eq(&before.aspas, &after.aspas), "{case}");
        }
    }

    proptest! {
        #[test]
        fn updates_end_where_a_set_of_them_ends(
            rounds in prop::collection::vec(prop::collection::btree_set(0u8..40, 0..30), 0..6),
        ) {
            let mut payload = Payload::default();
            let mut held = BTreeSet::new();
            for (round, now) in rounds.into_iter().enumerate() {
                let gone = held.difference(&now).map(|number| (*number, false));
                let new = now.difference(&held).map(|number| (*number, true));
                let changes: Vec<(u8, bool)> = gone.chain(new).collect();
                payload = payload.apply(update(round == 0, &changes, vec![]), 40).unwrap();
                held = now;
                let expected: Vec<Vrp> = held.iter().copied().map(vrp).collect();
                prop_assert_eq!(payload.vrps.iter().collect::<Vec<_>>(), expected);
            }
        }
    }
}
