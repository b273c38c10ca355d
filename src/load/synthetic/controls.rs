//! Control communities of synthetic clients: who is named, and what is asked. Drawn from streams of
//! their own, so that a table is the same with and without them.

use crate::load::attributes::Attributes;
use crate::load::plan::Client;
use crate::load::random::Random;

/// Control communities, to be added to attribute sets.
#[derive(Default)]
pub struct Tags {
    standard: Vec<u32>,
    large: Vec<[u32; 3]>,
}

impl Tags {
    /// One to thirty peers are named, a third of whom are not there.
    pub fn draw(prepends: bool, server_asn: u32, clients: &[Client], random: &mut Random) -> Tags {
        let mut tags = Tags::default();
        let peers: Vec<u32> = (0..random.within(1, 30))
            .map(|_| match random.below(3) {
                0 => random.within(61_000, 64_000) as u32,
                _ => random.pick(clients).asn,
            })
            .collect();
        let kind = random.weighted(&[60, 20, 5, if prepends { 15 } else { 0 }]);
        let standard = server_asn <= 0xffff && random.chance(0.6);
        match kind {
            0 => peers.iter().for_each(|&peer| {
                if random.chance(0.6) {
                    tags.standard.push(peer)
                } else {
                    tags.large.push([server_asn, 0, peer])
                }
            }),
            1 | 2 => {
                if standard {
                    tags.standard.push(server_asn)
                } else {
                    tags.large.push([server_asn, 0, 0])
                }
                let named = if kind == 1 { &peers[..] } else { &[] };
                named.iter().for_each(|&peer| {
                    if standard {
                        tags.standard.push(server_asn << 16 | peer)
                    } else {
                        tags.large.push([server_asn, 1, peer])
                    }
                });
            }
            _ => {
                let count = random.within(101, 103) as u32;
                let named = if random.chance(0.3) { &[0][..] } else { &peers };
                named
                    .iter()
                    .for_each(|&peer| tags.large.push([server_asn, count, peer]));
            }
        }
        tags
    }

    pub fn add_to(&self, set: &mut Attributes) {
        set.communities.extend(&self.standard);
        set.large.extend(&self.large);
    }
}

/// By client: what it puts on all its sets, if it is one of the `share` that do so.
pub fn of_clients(
    share: f64,
    prepends: bool,
    server_asn: u32,
    clients: &[Client],
    random: &mut Random,
) -> Vec<Option<Tags>> {
    let count = (share * clients.len() as f64).round() as usize;
    let mut tags: Vec<bool> = (0..clients.len()).map(|index| index < count).collect();
    random.shuffle(&mut tags);
    tags.into_iter()
        .map(|tags| tags.then(|| Tags::draw(prepends, server_asn, clients, random)))
        .collect()
}
