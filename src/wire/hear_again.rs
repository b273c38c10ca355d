//! An attribute set under other settings than those it was heard under.

use std::net::Ipv6Addr;

use super::attribute::push_unchanged;
use super::attribute_block::is_mandatory;
use super::attribute_set::{AttributeSet, code};
use super::community::{CommunityScrub, push_scrubbed};
use super::type_codes::TypeCodes;

/// What a held set would be had its UPDATE come now. What was removed from it then is not there to
/// be found again: for that the peer must be asked.
#[derive(PartialEq, Eq, Debug)]
pub enum HeardAgain {
    Same,
    Without(AttributeSet),
    /// One of its attributes makes the UPDATE a withdrawal.
    Withdrawn,
}

impl AttributeSet {
    /// `discard` and `treat_as_withdraw` are the operator's, `link_locals` the next hops of that kind
    /// that the client may have (`None`: any), `scrub` is what goes on import.
    pub fn hear_again(
        &self,
        hash_seed: u64,
        discard: &TypeCodes,
        treat_as_withdraw: &TypeCodes,
        link_locals: Option<&[Ipv6Addr]>,
        scrub: &dyn CommunityScrub,
    ) -> HeardAgain {
        let mut octets = Vec::new();
        for attribute in self.attributes() {
            let code = attribute.code;
            if treat_as_withdraw.contains(code) {
                return HeardAgain::Withdrawn;
            }
            if discard.contains(code) && !is_mandatory(code) {
                continue;
            }
            match code::is_communities(code) {
                true => push_scrubbed(&mut octets, &attribute, scrub),
                false => push_unchanged(&mut octets, &attribute),
            }
        }
        let next_hop = self.next_hop().with_link_local_of(link_locals);
        if octets == self.octets() && next_hop == self.next_hop() {
            return HeardAgain::Same;
        }
        HeardAgain::Without(AttributeSet::from_canonical(hash_seed, next_hop, &octets))
    }
}
