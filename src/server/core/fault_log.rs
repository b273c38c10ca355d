//! Malformed UPDATEs in the log: the fault, the NLRI and the whole message (RFC 7606 §8). One line
//! for each client in a while; what is not said is counted.

use std::fmt;
use std::time::Duration;

use crate::base::{Prefix, Time};
use crate::wire::{Nlri, Update, UpdateError, UpdateFault};

use super::log_lines::LogLines;

/// At most one line for each client in this time.
const LOG_EVERY: Duration = Duration::from_secs(30);
/// Prefixes named in a line; the message has them all.
const PREFIXES_MAX: usize = 8;

/// When a client's next line may come.
#[derive(Default)]
pub(super) struct FaultLog {
    next: Time,
    unsaid: u64,
}

impl FaultLog {
    /// Faults that cost routes or attributes. Not those that the operator asked for.
    pub fn note(
        &mut self,
        now: Time,
        (client, lines): (&str, &mut LogLines),
        update: &Update<'_>,
        body: &[u8],
    ) {
        let withdraws = update.treat_as_withdraw.iter();
        for (remedy, fault) in withdraws.map(|fault| ("treat-as-withdraw", fault)).chain(
            update
                .discarded
                .iter()
                .map(|fault| ("attribute discard", fault)),
        ) {
            if fault.is_configured() {
                tracing::debug!(client, "{remedy}: {fault}");
            } else if now < self.next {
                self.unsaid += 1;
            } else {
                self.next = now + LOG_EVERY;
                let unsaid_before = std::mem::take(&mut self.unsaid);
                if let Some(left_out) = lines.take(now) {
                    let unsaid = (unsaid_before, left_out);
                    say(client, unsaid, remedy, fault, update, body);
                }
            }
        }
    }

    /// The fault ends the session, so there is not one of them each moment.
    pub fn note_reset(
        now: Time,
        (client, lines): (&str, &mut LogLines),
        error: &UpdateError,
        body: &[u8],
    ) {
        if let Some(left_out) = lines.take(now) {
            tracing::warn!(client, left_out, update = %Hex(body), "malformed UPDATE, session reset: {error}");
        }
    }
}

fn say(
    client: &str,
    (unsaid_before, left_out): (u64, u64),
    remedy: &str,
    fault: &UpdateFault,
    update: &Update<'_>,
    body: &[u8],
) {
    let announced = update.announced.iter().map(|(_, nlri)| nlri);
    let prefixes = update
        .withdrawn
        .iter()
        .chain(announced)
        .flat_map(Nlri::iter);
    let nlri = Prefixes(prefixes.take(PREFIXES_MAX + 1).collect());
    tracing::warn!(client, unsaid_before, left_out, %nlri, update = %Hex(body), "malformed UPDATE, {remedy}: {fault}");
}

/// The first few prefixes.
struct Prefixes(Vec<Prefix>);

impl fmt::Display for Prefixes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, prefix) in self.0.iter().enumerate() {
            match at {
                0 => write!(f, "{prefix}")?,
                PREFIXES_MAX => f.write_str(" ...")?,
                _ => write!(f, " {prefix}")?,
            }
        }
        Ok(())
    }
}

struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}
