//! VRPs and ASPAs that become far fewer at once: told until they are as many again. Owns how many they were.
//!
//! They are told, not held back. New files go through the bounds of `[reload]`, as a file may be half of what
//! was meant. A cache has said in a complete answer that what is gone is gone (RFC 8210 §8), and it, not the
//! router, is the judge of that: what is held back may have been revoked, and would reject routes, or let them
//! pass, for as long as nobody looks. What is gone makes Valid and Invalid routes NotFound (RFC 6811 §2), which
//! `rpki_invalid` lets pass and `rpki_unknown` rejects: either way somebody has to look at the cache, at once.

use tracing::{error, info};

use crate::policy::Outside;

/// VRPs and ASPAs.
pub struct Shrinks([Shrink; 2]);

/// What becomes fewer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Of {
    Vrps,
    Aspas,
}

/// How many there were before they became fewer by more than a tenth at once, while they are.
struct Shrink {
    of: Of,
    most: Option<usize>,
}

impl Default for Shrinks {
    fn default() -> Shrinks {
        Shrinks([Of::Vrps, Of::Aspas].map(Shrink::new))
    }
}

impl Shrinks {
    /// Other data are in force.
    pub fn handle_change(&mut self, before: &Outside, now: &Outside) {
        if now.vrps.is_none() {
            return self.accept();
        }
        for shrink in &mut self.0 {
            shrink.handle_change(shrink.of.count(before), shrink.of.count(now));
        }
    }

    /// They are as they should be.
    pub fn accept(&mut self) {
        self.0.iter_mut().for_each(Shrink::accept);
    }

    pub fn warnings(&self, in_force: &Outside) -> Vec<String> {
        let warning = |shrink: &Shrink| shrink.warning(shrink.of.count(in_force));
        self.0.iter().filter_map(warning).collect()
    }
}

impl Shrink {
    fn new(of: Of) -> Shrink {
        Shrink { of, most: None }
    }

    /// Others are in force.
    fn handle_change(&mut self, before: usize, now: usize) {
        if is_far_fewer(now, before) {
            let most = self.most.map_or(before, |most| most.max(before));
            self.most = Some(most);
            error!(before, now, "{}", self.of.sentence(now, most));
        } else if self.most.is_some_and(|most| !is_far_fewer(now, most)) {
            self.most = None;
            info!(now, "the {} are as many as before again", self.of.name());
        }
    }

    fn accept(&mut self) {
        self.most = None;
    }

    fn warning(&self, now: usize) -> Option<String> {
        self.most.map(|most| self.of.sentence(now, most))
    }
}

fn is_far_fewer(now: usize, before: usize) -> bool {
    now < before / 10 * 9 || now == 0 && before > 0
}

impl Of {
    fn count(self, outside: &Outside) -> usize {
        match self {
            Of::Vrps => outside.vrps.as_ref().map_or(0, |vrps| vrps.len()),
            Of::Aspas => outside.aspas.as_ref().map_or(0, |aspas| aspas.len()),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Of::Vrps => "VRPs",
            Of::Aspas => "ASPAs",
        }
    }

    fn sentence(self, now: usize, most: usize) -> String {
        let what = self.name();
        let meaning = match self {
            Of::Vrps => "what they covered is NotFound now",
            Of::Aspas => "paths that they made Invalid are Unknown now",
        };
        format!(
            "{now} {what} are in force where there were {most}, more than a tenth went at once: {meaning}. Look at \
             the RTR caches and VRP files; rialto reload --force says that it is right"
        )
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::base::Asn;
    use crate::policy::Aspa;

    #[test]
    fn vrps_and_aspas_are_told_apart() {
        let aspa = |customer| Aspa {
            customer: Asn(customer),
            providers: vec![Asn(7)],
        };
        let outside = |aspas: u32| Outside {
            vrps: Some(Arc::default()),
            aspas: (aspas > 0).then(|| Arc::new((0..aspas).map(aspa).collect())),
        };
        let mut shrinks = Shrinks::default();
        shrinks.handle_change(&outside(0), &outside(3));
        assert_eq!(shrinks.warnings(&outside(3)), Vec::<String>::new());
        shrinks.handle_change(&outside(3), &outside(0));
        let told = shrinks.warnings(&outside(0)).join("\n");
        assert!(
            told.starts_with("0 ASPAs are in force where there were 3"),
            "{told}"
        );
        shrinks.handle_change(&outside(0), &Outside::default());
        assert_eq!(
            shrinks.warnings(&outside(0)),
            Vec::<String>::new(),
            "no RPKI"
        );
    }

    #[test]
    fn what_is_told_while_vrps_are_far_fewer_than_they_were() {
        type Case<'a> = (&'a str, &'a [usize], Option<usize>);
        let cases: [Case<'_>; 9] = [
            ("of a few, none is told", &[3, 2, 0], Some(2)),
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
            let mut shrink = Shrink::new(Of::Vrps);
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
