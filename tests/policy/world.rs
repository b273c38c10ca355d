//! A client whose every check is on, and a route that passes them all; what is wrong with it is put in
//! piece by piece.

use std::net::IpAddr;
use std::sync::Arc;

use rialto::base::{Asn, Prefix};
use rialto::policy::{
    Aspa, AspaSet, ImportChecks, ImportPolicy, IrrChecks, IrrSet, Outside, PrefixClass, PrefixList,
    PrefixRange, PrefixSet, RejectReason, Vrp, VrpSet,
};
use rialto::wire::testing::SetBuilder;
use rialto::wire::{AttributeSet, NextHop, code};

pub const SERVER: Asn = Asn(8714);
pub const CLIENT: Asn = Asn(10_000);
pub const ORIGIN: Asn = Asn(3333);

/// Checks, data from outside, and the route that is judged.
#[derive(Clone)]
pub struct World {
    pub checks: ImportChecks,
    pub outside: Outside,
    /// Before the origin.
    pub path: Vec<u32>,
    pub origin: Option<Asn>,
    pub as_set: Vec<u32>,
    pub next_hop: [u8; 4],
    pub communities: Vec<(u16, u16)>,
    pub otc: Option<Asn>,
    pub prefix: &'static str,
}

pub fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

pub fn ranges(texts: &[&str]) -> Vec<PrefixRange> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

pub fn list(texts: &[&str]) -> Option<Arc<PrefixList>> {
    Some(Arc::new(ranges(texts).into_iter().collect()))
}

pub fn prefix_set(texts: &[&str]) -> PrefixSet {
    PrefixSet::new(ranges(texts))
}

pub fn irr_set(prefixes: &[&str], origins: &[u32]) -> Option<Arc<IrrSet>> {
    let origins = origins.iter().copied().map(Asn).collect();
    Some(Arc::new(IrrSet::new(prefix_set(prefixes), origins)))
}

/// (prefix, longest, origin)
pub fn vrps(vrps: &[(&str, u8, u32)]) -> Option<Arc<VrpSet>> {
    let vrp = |&(text, max_len, asn): &(&str, u8, u32)| Vrp {
        prefix: prefix(text),
        max_len,
        asn: Asn(asn),
    };
    Some(Arc::new(VrpSet::new(vrps.iter().map(vrp).collect())))
}

/// (customer, providers)
pub fn aspas(aspas: &[(u32, &[u32])]) -> Option<Arc<AspaSet>> {
    let aspa = |(customer, providers): &(u32, &[u32])| Aspa {
        customer: Asn(*customer),
        providers: providers.iter().copied().map(Asn).collect(),
    };
    Some(Arc::new(aspas.iter().map(aspa).collect()))
}

impl World {
    /// Everything is on, there is all data, and the route is good.
    pub fn good() -> World {
        let address: IpAddr = [10, 77, 1, 1].into();
        let elsewhere = list(&["198.18.0.0/15+"]);
        let checks = ImportChecks {
            own_prefixes: elsewhere.clone(),
            black_list: elsewhere.clone(),
            client_black_list: elsewhere,
            never_via_route_servers_asns: [Asn(5000), Asn(5001)].into(),
            route_leak: true,
            irr: Some(IrrChecks {
                set: irr_set(&["193.0.0.0/21"], &[ORIGIN.0]),
                prefix: true,
                origin: true,
                ..IrrChecks::default()
            }),
            rpki_invalid: true,
            rpki_unknown: true,
            aspa_invalid: true,
            ..ImportChecks::exchange(SERVER, CLIENT, vec![address])
        };
        World {
            checks,
            outside: Outside {
                vrps: vrps(&[("193.0.0.0/21", 21, ORIGIN.0)]),
                aspas: aspas(&[]),
            },
            path: vec![CLIENT.0],
            origin: Some(ORIGIN),
            as_set: Vec::new(),
            next_hop: [10, 77, 1, 1],
            communities: Vec::new(),
            otc: None,
            prefix: "193.0.0.0/21",
        }
    }

    pub fn irr(&mut self) -> &mut IrrChecks {
        self.checks.irr.get_or_insert_default()
    }

    /// Changes what the client registered, where it is known.
    pub fn registered(&mut self, change: impl FnOnce(&IrrSet) -> IrrSet) {
        let irr = self.irr();
        irr.set = irr.set.as_ref().map(|set| Arc::new(change(set)));
    }

    pub fn set(&self) -> Arc<AttributeSet> {
        let origin: Vec<u32> = self.origin.iter().map(|asn| asn.0).collect();
        let builder = SetBuilder::new()
            .next_hop(NextHop::V4(self.next_hop.into()))
            .as_path(&self.path)
            .as_set(&self.as_set)
            .as_path(&origin)
            .communities(&self.communities);
        match self.otc {
            Some(asn) => builder.attribute(0xc0, code::OTC, asn.0.to_be_bytes()),
            None => builder,
        }
        .build()
    }

    pub fn class(&self) -> PrefixClass {
        let policy = ImportPolicy::new(self.checks.clone());
        let of_set = policy.check_attributes(&self.set(), &self.outside);
        policy.judge(&of_set, &prefix(self.prefix), &self.outside)
    }

    /// `Err` is rejected, for this reason; `Ok` accepted, perhaps with a remark.
    pub fn verdict(&self) -> Result<Option<RejectReason>, RejectReason> {
        let class = self.class();
        match class.verdict().reason() {
            Some(reason) => Err(reason),
            None => Ok(class.reason()),
        }
    }
}
