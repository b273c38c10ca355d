//! How turns went in which the server came to reject some of the routes, or to accept them again.

use serde::Serialize;

use super::report::{Spread, grouped};

/// One turn.
#[derive(Serialize, Clone, Debug, Default)]
pub struct Turn {
    /// Accepted again where it is false.
    pub rejects: bool,
    pub right: bool,
    /// How many VRPs went or came.
    pub vrps: Option<usize>,
    /// Routes that it is about, and what follows at the clients: prefixes of each, counted.
    pub routes: usize,
    pub flips: usize,
    /// From the command on until it was answered; or from the Serial Notify on until the last PDU of the
    /// change was on its way.
    pub answered_s: Option<f64>,
    /// From the command or that PDU on, until the first and the last of the flips.
    pub first_s: Option<f64>,
    pub took_s: Option<f64>,
    /// Changes that ran meanwhile, and if there were any, the longest that a client heard of none.
    pub running: u64,
    pub gap_ms: Option<f64>,
    /// Their arrival, milliseconds.
    pub arrival: Option<Spread>,
    /// Prefixes that the clients got and that made nothing right.
    pub needless: u64,
    /// CPU time of the server until all was right.
    pub server_cpu_s: Option<f64>,
}

#[derive(Serialize, Clone, Debug, Default)]
pub struct TurnFigures {
    /// Before the first turn: the longest that a client heard of no change.
    pub quiet_gap_ms: f64,
    /// The one before the others, which is of another kind.
    pub arrival: Option<Turn>,
    /// Medians.
    pub rejected_s: Option<f64>,
    pub accepted_s: Option<f64>,
    pub answered_s: Option<f64>,
    /// The median of the turns, and the worst.
    pub gap_ms: Option<f64>,
    pub gap_max_ms: Option<f64>,
    pub needless: u64,
    pub turns: Vec<Turn>,
}

impl TurnFigures {
    pub fn of(quiet_gap_ms: f64, arrival: Option<Turn>, turns: Vec<Turn>) -> TurnFigures {
        let took = |rejects: bool| {
            let of = turns.iter().filter(move |turn| turn.rejects == rejects);
            median(of.filter_map(|turn| turn.took_s))
        };
        let gaps = || turns.iter().filter_map(|turn| turn.gap_ms);
        TurnFigures {
            quiet_gap_ms,
            rejected_s: took(true),
            accepted_s: took(false),
            answered_s: median(turns.iter().filter_map(|turn| turn.answered_s)),
            gap_ms: median(gaps()),
            gap_max_ms: gaps().max_by(f64::total_cmp),
            needless: turns.iter().chain(&arrival).map(|turn| turn.needless).sum(),
            arrival,
            turns,
        }
    }

    /// For people.
    pub fn line(&self) -> String {
        let seconds = |s: Option<f64>| s.map_or("-".into(), |s| format!("{s:.3} s"));
        let arrival = self.arrival.as_ref().map_or(String::new(), |turn| {
            let took = seconds(turn.took_s);
            format!("{} VRPs: {took}; ", grouped(turn.vrps.unwrap_or(0)))
        });
        let gaps = match (self.gap_ms, self.gap_max_ms) {
            (Some(median), Some(max)) => format!(
                "; between running changes at most {median:.0} ms (worst turn {max:.0}, before {:.0})",
                self.quiet_gap_ms
            ),
            _ => String::new(),
        };
        format!(
            "{arrival}{} turns, medians: answered after {}, rejected after {}, accepted again after {}{gaps}; \
             {} prefixes sent for nothing",
            self.turns.len(),
            seconds(self.answered_s),
            seconds(self.rejected_s),
            seconds(self.accepted_s),
            grouped(self.needless)
        )
    }
}

/// Of an even number, the mean of the two in the middle.
fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    match values.len() {
        0 => None,
        count if count % 2 == 1 => Some(values[half]),
        _ => Some((values[half - 1] + values[half]) / 2.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_medians_by_direction_and_the_worst_gap() {
        let turn = |rejects: bool, took_s: f64, gap_ms: f64| Turn {
            rejects,
            took_s: Some(took_s),
            gap_ms: Some(gap_ms),
            needless: 1,
            ..Turn::default()
        };
        let turns = vec![
            turn(true, 0.3, 20.0),
            turn(false, 1.0, 30.0),
            turn(true, 0.1, 90.0),
            turn(false, 2.0, 10.0),
            turn(true, 0.2, 20.0),
        ];
        let figures = TurnFigures::of(16.0, None, turns);
        assert_eq!(figures.rejected_s, Some(0.2));
        assert_eq!(figures.accepted_s, Some(1.5));
        assert_eq!(
            (figures.gap_ms, figures.gap_max_ms),
            (Some(20.0), Some(90.0))
        );
        assert_eq!((figures.answered_s, figures.needless), (None, 5));
        let none = TurnFigures::of(0.0, None, Vec::new());
        assert_eq!((none.rejected_s, none.gap_ms), (None, None));
    }
}
