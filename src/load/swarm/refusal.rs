//! Why sessions do not come up, and what to do about it.

use std::io;

use super::Swarm;
use super::connect::AT_ONCE_MIN;
use crate::base::Time;
use crate::load::session::State;

/// How far a client's attempts came, at most. A later stage says more.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Stage {
    /// The machine does not let it use its address.
    NoSource,
    /// No TCP connection.
    NotConnected,
    /// Closed without a word.
    Closed,
    /// The server said why.
    Notified,
}

#[derive(Clone, Debug)]
pub(super) struct Refusal {
    stage: Stage,
    why: String,
}

impl Swarm {
    pub(super) fn note_refusal(&mut self, client: usize, stage: Stage, why: &str) {
        let known = &mut self.refusals[client];
        if known.as_ref().is_none_or(|known| known.stage <= stage) {
            let why = why.to_owned();
            *known = Some(Refusal { stage, why });
        }
    }

    /// How far the client's present attempt has come.
    pub(super) fn stage(&self, client: usize) -> Stage {
        let session = &self.sessions[client];
        match session.state {
            State::Idle | State::Connecting => Stage::NotConnected,
            _ if session.is_notified => Stage::Notified,
            _ => Stage::Closed,
        }
    }

    /// A client that should be up and is not, with the reason.
    pub fn refused(&self) -> Option<String> {
        let down = |client: &usize| {
            self.links[*client].wanted && self.sessions[*client].state != State::Established
        };
        let mut down = (0..self.client_count()).filter(down);
        down.find_map(|client| {
            let Refusal { why, .. } = self.refusals[client].as_ref()?;
            Some(format!("{}: {why}", self.plan.clients[client].name()))
        })
    }

    /// Whether the server had its chance with every client that is not up.
    pub fn are_refused(&self) -> bool {
        (0..self.client_count()).all(|client| {
            !self.links[client].wanted
                || self.sessions[client].state == State::Established
                || self.refusals[client].is_some()
        })
    }

    /// Since when clients have been trying.
    pub fn trying_since(&self) -> Option<Time> {
        self.trying_since
    }

    /// The machine cannot be what its clients are: no wait will help.
    pub fn lacks_sources(&self) -> bool {
        let of = |refusal: &Option<Refusal>| refusal.as_ref().map(|refusal| refusal.stage);
        !self.was_ever_up && self.refusals.iter().filter_map(of).max() == Some(Stage::NoSource)
    }

    /// That no session came up although all were tried, in words and with what to do; `None` while
    /// one has been up, or the server still considers.
    pub fn hopeless(&self) -> Option<String> {
        let wanted = self.links.iter().filter(|link| link.wanted).count();
        if self.was_ever_up || wanted == 0 {
            return None;
        }
        let worst = self.refusals.iter().enumerate();
        let worst = worst.filter_map(|(client, refusal)| Some((client, refusal.as_ref()?)));
        let target = self.settings.target;
        // Of several in the same stage, the first client's.
        let Some((client, refusal)) =
            worst.min_by_key(|(_, refusal)| std::cmp::Reverse(refusal.stage))
        else {
            let connecting = |client: usize| self.sessions[client].state <= State::Connecting;
            return (0..self.client_count()).all(connecting).then(|| {
                format!(
                    "no answer from {target}; is that the route server's address (--target \
                     ADDR:PORT), and does a packet filter let {} through?",
                    self.plan.clients[0].address
                )
            });
        };
        let (name, address) = {
            let client = &self.plan.clients[client];
            (client.name(), client.address)
        };
        let Refusal { stage, why } = refusal;
        match stage {
            Stage::NoSource => Some(format!(
                "{name} cannot use its address {address}: {why}; give this machine the addresses \
                 of --source-net, or name a net that it has (127.77.0.0/16 needs nothing)"
            )),
            Stage::NotConnected => Some(format!(
                "no connection to {target}: {why}; start the route server, or say where it listens \
                 with --target ADDR:PORT"
            )),
            Stage::Closed | Stage::Notified => {
                let heard = |refusal: &&Option<Refusal>| {
                    refusal
                        .as_ref()
                        .is_some_and(|refusal| refusal.stage >= Stage::Closed)
                };
                let heard = self.refusals.iter().filter(heard).count();
                (heard >= wanted.min(AT_ONCE_MIN)).then(|| {
                    let how = match stage {
                        Stage::Notified => format!("for {name}, {why}"),
                        _ => format!("it closed each connection without a NOTIFICATION ({why})"),
                    };
                    format!(
                        "the route server at {target} takes none of these clients ({name} is at \
                         {address}, and so on): {how}; configure it for them: --print-config with \
                         the same other words prints how (rialto, bird, openbgpd, gobgp, frr)"
                    )
                })
            }
        }
    }
}

/// Whether binding failed, as the kernel says it.
pub(super) fn stage_of(error: &io::Error) -> Stage {
    match error.kind() {
        io::ErrorKind::AddrNotAvailable => Stage::NoSource,
        _ => Stage::NotConnected,
    }
}
