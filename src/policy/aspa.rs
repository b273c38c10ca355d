//! ASPA: which ASes are providers of which, and AS_PATHs judged by it
//! (draft-ietf-sidrops-aspa-verification-28). Knows nothing of where the ASPAs come from.

use std::collections::BTreeMap;

use crate::base::Asn;

/// The providers that a customer AS names. AS 0 among them stands for none.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Aspa {
    pub customer: Asn,
    pub providers: Vec<Asn>,
}

/// Outcome of the verification of an AS_PATH, in the draft's order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AspaState {
    Valid,
    Invalid,
    Unknown,
}

/// §5.3: what a customer says of a provider.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Authorization {
    NoAttestation,
    Provider,
    NotProvider,
}

/// Customers with their providers; equal where the contents are.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct AspaSet {
    /// Sorted; with each, where its providers end. They begin where those before end.
    customers: Vec<(Asn, u32)>,
    /// Sorted for each customer; none is AS 0.
    providers: Vec<Asn>,
}

impl AspaSet {
    /// Judges a path that a route server has from one of its clients (§5.5). `path` is the AS_PATH
    /// without its AS_SETs, the neighbour first; that it is the neighbour is another check.
    pub fn verify_upstream(
        &self,
        path: impl IntoIterator<Item = Asn>,
        has_as_set: bool,
    ) -> AspaState {
        let mut path = path.into_iter();
        let Some(mut provider) = path.next() else {
            return AspaState::Invalid;
        };
        if has_as_set {
            return AspaState::Invalid;
        }
        let mut state = AspaState::Valid;
        for customer in path {
            if customer == provider {
                continue;
            }
            match self.authorized(customer, provider) {
                Authorization::NotProvider => return AspaState::Invalid,
                Authorization::NoAttestation => state = AspaState::Unknown,
                Authorization::Provider => {}
            }
            provider = customer;
        }
        state
    }

    /// The providers of a customer, sorted; none where it says it has none, `None` where it says
    /// nothing.
    pub fn providers(&self, customer: Asn) -> Option<&[Asn]> {
        let at = (self.customers)
            .binary_search_by_key(&customer, |(asn, _)| *asn)
            .ok()?;
        Some(self.providers_at(at))
    }

    /// Customers in order, with their providers.
    pub fn iter(&self) -> impl Iterator<Item = (Asn, &[Asn])> {
        let customers = self.customers.iter().enumerate();
        customers.map(|(at, (customer, _))| (*customer, self.providers_at(at)))
    }

    /// How many customers there are.
    pub fn len(&self) -> usize {
        self.customers.len()
    }

    pub fn is_empty(&self) -> bool {
        self.customers.is_empty()
    }

    /// Memory, in octets.
    pub fn octets(&self) -> usize {
        self.customers.capacity() * size_of::<(Asn, u32)>()
            + self.providers.capacity() * size_of::<Asn>()
    }

    fn authorized(&self, customer: Asn, provider: Asn) -> Authorization {
        match self.providers(customer) {
            None => Authorization::NoAttestation,
            Some(providers) if providers.binary_search(&provider).is_ok() => {
                Authorization::Provider
            }
            Some(_) => Authorization::NotProvider,
        }
    }

    fn providers_at(&self, at: usize) -> &[Asn] {
        let start = at
            .checked_sub(1)
            .map_or(0, |before| self.customers[before].1);
        &self.providers[start as usize..self.customers[at].1 as usize]
    }
}

/// Several ASPAs of one customer are put together (§3).
impl FromIterator<Aspa> for AspaSet {
    fn from_iter<I: IntoIterator<Item = Aspa>>(aspas: I) -> AspaSet {
        let mut by_customer: BTreeMap<Asn, Vec<Asn>> = BTreeMap::new();
        for Aspa {
            customer,
            providers,
        } in aspas
        {
            by_customer.entry(customer).or_default().extend(providers);
        }
        let mut set = AspaSet::default();
        for (customer, mut providers) in by_customer {
            providers.sort_unstable();
            providers.dedup();
            (set.providers).extend(providers.into_iter().filter(|provider| provider.0 != 0));
            let end = u32::try_from(set.providers.len()).expect("fewer than 2^32 providers");
            set.customers.push((customer, end));
        }
        set.customers.shrink_to_fit();
        set.providers.shrink_to_fit();
        set
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn aspa(customer: u32, providers: &[u32]) -> Aspa {
        Aspa {
            customer: Asn(customer),
            providers: providers.iter().copied().map(Asn).collect(),
        }
    }

    fn verify(set: &AspaSet, path: &[u32]) -> AspaState {
        set.verify_upstream(path.iter().copied().map(Asn), false)
    }

    const A: u32 = 65000;
    const B: u32 = 65010;
    const C: u32 = 65020;
    const D: u32 = 65030;
    const E: u32 = 65040;
    const F: u32 = 65050;
    const G: u32 = 65060;

    /// The examples that the draft points to in §6.1 ([aspa-examples]): E and F have no ASPA.
    fn examples() -> AspaSet {
        [
            aspa(A, &[C, D]),
            aspa(B, &[E]),
            aspa(C, &[F]),
            aspa(D, &[F, G]),
            aspa(G, &[0]),
        ]
        .into_iter()
        .collect()
    }

    #[test]
    fn the_examples_of_the_draft() {
        use AspaState::{Invalid, Unknown, Valid};
        let set = examples();
        let cases: [(&str, &[u32], AspaState); 9] = [
            ("1: each is a provider of the next", &[F, C, A], Valid),
            ("2: a lateral peer's route is leaked", &[D, C, A], Invalid),
            ("3: F says nothing of D", &[D, F, C, A], Unknown),
            ("4: E says nothing of D", &[D, E, B], Unknown),
            ("5: A leaks what D told it", &[A, D, E, B], Invalid),
            ("6: A leaks what came by G", &[A, D, G, E, B], Invalid),
            ("7: A leaks what its provider told it", &[A, C, F], Invalid),
            ("8: G has no provider at all", &[A, C, F, G], Invalid),
            ("9: one hop up", &[E, B], Valid),
        ];
        for (case, path, state) in cases {
            assert_eq!(verify(&set, path), state, "{case}");
        }
    }

    #[test]
    fn the_steps_of_the_draft() {
        use AspaState::{Invalid, Unknown, Valid};
        let set = examples();
        let cases: [(&str, &[u32], AspaState); 8] = [
            ("an empty path is invalid", &[], Invalid),
            ("an origin alone is valid", &[A], Valid),
            ("an origin that nobody knows, alone, is valid", &[1], Valid),
            (
                "prepends of anybody count once",
                &[F, F, C, C, C, A, A],
                Valid,
            ),
            ("two that nobody knows", &[1, 2], Unknown),
            (
                "a bad hop outweighs an unknown one before it",
                &[1, 2, G, A],
                Invalid,
            ),
            (
                "a bad hop outweighs an unknown one behind it",
                &[G, A, E],
                Invalid,
            ),
            ("AS 0 is nobody's provider", &[0, G], Invalid),
        ];
        for (case, path, state) in cases {
            assert_eq!(verify(&set, path), state, "{case}");
        }
        let valid = [F, C, A].map(Asn);
        assert_eq!(set.verify_upstream(valid, true), Invalid, "an AS_SET in it");
    }

    #[test]
    fn what_a_set_holds() {
        let set: AspaSet = [
            aspa(2, &[9, 7, 7]),
            aspa(1, &[0]),
            aspa(2, &[8, 0]),
            aspa(3, &[]),
        ]
        .into_iter()
        .collect();
        let cases: [(&str, u32, Option<&[u32]>); 4] = [
            ("AS 0 alone is a list without providers", 1, Some(&[])),
            (
                "several of one customer are one, sorted",
                2,
                Some(&[7, 8, 9]),
            ),
            ("an empty list is one without providers", 3, Some(&[])),
            ("who is not there has none", 4, None),
        ];
        for (case, customer, providers) in cases {
            let expected = providers.map(|all| all.iter().copied().map(Asn).collect::<Vec<_>>());
            assert_eq!(set.providers(Asn(customer)), expected.as_deref(), "{case}");
        }
        assert_eq!((set.len(), set.octets()), (3, 3 * 8 + 3 * 4));
        let again: AspaSet = (set.iter())
            .map(|(customer, providers)| Aspa {
                customer,
                providers: providers.to_vec(),
            })
            .collect();
        assert_eq!(again, set, "a set is what its parts make");
        assert_ne!(again, examples());
        assert!(AspaSet::default().is_empty());
    }

    /// The draft word by word: the compressed path, its ramps, and the steps of §5.5.
    fn verify_naively(aspas: &[(u32, BTreeSet<u32>)], path: &[u32]) -> AspaState {
        let mut compressed: Vec<u32> = path.iter().rev().copied().collect();
        compressed.dedup();
        let n = compressed.len();
        let union = |customer: u32| -> Option<BTreeSet<u32>> {
            let mut of_customer = aspas.iter().filter(|(asn, _)| *asn == customer).peekable();
            of_customer.peek()?;
            Some(
                of_customer
                    .flat_map(|(_, providers)| providers.iter().copied())
                    .collect(),
            )
        };
        let ramp = |stops: fn(Option<bool>) -> bool| {
            (1..n)
                .find(|&i| {
                    let provider = compressed[i];
                    stops(
                        union(compressed[i - 1])
                            .map(|all| provider != 0 && all.contains(&provider)),
                    )
                })
                .unwrap_or(n)
        };
        let max_up_ramp = ramp(|is_provider| is_provider == Some(false));
        let min_up_ramp = ramp(|is_provider| is_provider != Some(true));
        match () {
            () if n == 0 || max_up_ramp < n => AspaState::Invalid,
            () if min_up_ramp < n => AspaState::Unknown,
            () => AspaState::Valid,
        }
    }

    proptest! {
        #[test]
        fn a_set_says_what_the_draft_says(
            aspas in prop::collection::vec((0u32..7, prop::collection::btree_set(0u32..7, 0..6)), 0..9),
            path in prop::collection::vec(0u32..7, 0..6),
        ) {
            let set: AspaSet = aspas
                .iter()
                .map(|(customer, providers)| aspa(*customer, &providers.iter().copied().collect::<Vec<_>>()))
                .collect();
            prop_assert_eq!(verify(&set, &path), verify_naively(&aspas, &path));
        }

        #[test]
        fn order_makes_no_other_set(
            aspas in prop::collection::vec((0u32..5, prop::collection::vec(0u32..9, 0..5)), 0..9),
        ) {
            let build = |aspas: &mut dyn Iterator<Item = &(u32, Vec<u32>)>| -> AspaSet {
                aspas.map(|(customer, providers)| aspa(*customer, providers)).collect()
            };
            prop_assert_eq!(build(&mut aspas.iter()), build(&mut aspas.iter().rev()));
        }
    }
}
