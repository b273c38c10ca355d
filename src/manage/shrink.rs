//! VRPs that become far fewer at once: told until they are as many again. Owns how many they were.
//!
//! They are told, not held back. New files go through the bounds of `[reload]`, as a file may be half of what
//! was meant. A cache has said in a complete answer that what is gone is gone (RFC 8210 §8), and it, not the
//! router, is the judge of that: what is held back may have been revoked, and would reject routes, or let them
//! pass, for as long as nobody looks. What is gone makes Valid and Invalid routes NotFound (RFC 6811 §2), which
//! `rpki_invalid` lets pass and `rpki_unknown` rejects: either way somebody has to look at the cache, at once.

use tracing::{error, info};

/// How many VRPs there were before they became fewer by more than a tenth at once, while they are.
#[derive(Default)]
pub struct Shrink(Option<usize>);

impl Shrink {
    /// Other VRPs are in force.
    pub fn handle_change(&mut self, before: usize, now: usize) {
        if is_far_fewer(now, before) {
            let most = self.0.map_or(before, |most| most.max(before));
            self.0 = Some(most);
            error!(before, now, "{}", sentence(now, most));
        } else if self.0.is_some_and(|most| !is_far_fewer(now, most)) {
            self.0 = None;
            info!(now, "the VRPs are as many as before again");
        }
    }

    /// It is as it should be.
    pub fn accept(&mut self) {
        self.0 = None;
    }

    pub fn warning(&self, now: usize) -> Option<String> {
        self.0.map(|most| sentence(now, most))
    }
}

fn is_far_fewer(now: usize, before: usize) -> bool {
    now < before / 10 * 9
}

fn sentence(now: usize, most: usize) -> String {
    format!(
        "{now} VRPs are in force where there were {most}, more than a tenth went at once: what they covered is \
         NotFound now. Look at the RTR caches and VRP files; rialto reload --force says that it is right"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_while_vrps_are_far_fewer_than_they_were() {
        type Case<'a> = (&'a str, &'a [usize], Option<usize>);
        let cases: [Case<'_>; 8] = [
            ("more are well", &[1_000, 2_000], None),
            ("a tenth less is well", &[1_000, 900], None),
            ("less than that is told", &[1_000, 899], Some(1_000)),
            ("none is told", &[1_000, 0], Some(1_000)),
            (
                "a few more do not put it right",
                &[500_000, 1_000, 1_200, 3_000],
                Some(500_000),
            ),
            ("it may become worse", &[500_000, 1_000, 10], Some(500_000)),
            (
                "nearly as many as there were put it right",
                &[500_000, 0, 470_000],
                None,
            ),
            (
                "a little less now and then is well",
                &[1_000, 950, 903, 860, 818],
                None,
            ),
        ];
        for (case, counts, most) in cases {
            let mut shrink = Shrink::default();
            for pair in counts.windows(2) {
                shrink.handle_change(pair[0], pair[1]);
            }
            let now = counts.last().copied().unwrap_or_default();
            let expected =
                most.map(|most| format!("{now} VRPs are in force where there were {most},"));
            let told = shrink.warning(now);
            assert_eq!(told.is_some(), expected.is_some(), "{case}: {told:?}");
            let begins = expected.unwrap_or_default();
            assert!(told.unwrap_or_default().starts_with(&begins), "{case}");
            shrink.accept();
            assert_eq!(shrink.warning(now), None, "{case}: accepted");
        }
    }
}
