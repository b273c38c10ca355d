//! What became of one UPDATE, in a word, and announcements with one attribute changed.

use rialto::wire::{DecodeContext, Scratch, decode_update};

use super::support::*;

#[derive(Clone, PartialEq, Debug)]
pub enum Outcome {
    /// The route is announced; these attributes are in its set.
    Announced(Vec<u8>),
    /// The route is announced and these attribute types were discarded.
    Discarded(Vec<u8>),
    /// The route is withdrawn because of this attribute type.
    Withdrawn(u8),
    /// NOTIFICATION: UPDATE Message Error with this subcode and data.
    Reset(u8, Vec<u8>),
    /// Neither announced nor withdrawn.
    Nothing,
}
use Outcome::*;

pub fn outcome_in(context: &DecodeContext<'_>, body: &[u8]) -> Outcome {
    let update = match decode_update(body, context, &mut Scratch::default()) {
        Ok(update) => update,
        Err(error) => {
            assert_eq!(error.notification.code, 3);
            assert!(!error.what.is_empty());
            return Reset(error.notification.subcode, error.notification.data);
        }
    };
    assert!(update.announced.is_empty() || update.treat_as_withdraw.is_none());
    match (&update.treat_as_withdraw, update.announced.first()) {
        (Some(fault), _) => {
            assert!(!update.withdrawn.is_empty(), "nothing was withdrawn");
            Withdrawn(fault.code)
        }
        (None, Some(_)) if !update.discarded.is_empty() => {
            Discarded(update.discarded.iter().map(|fault| fault.code).collect())
        }
        (None, Some((set, _))) => {
            Announced(set.attributes().map(|attribute| attribute.code).collect())
        }
        (None, None) => Nothing,
    }
}

pub fn outcome(body: &[u8]) -> Outcome {
    outcome_in(&context(), body)
}

pub fn check_all(cases: impl IntoIterator<Item = (&'static str, Vec<u8>, Outcome)>) {
    let mut wrong = Vec::new();
    for (name, body, expected) in cases {
        let found = outcome(&body);
        if found != expected {
            wrong.push(format!("{name}: {found:?} instead of {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// A good announcement with one more attribute.
pub fn with(flags: u8, code: u8, value: &[u8]) -> Vec<u8> {
    body(
        &[],
        &[mandatory(), attribute(flags, code, value)].concat(),
        NLRI,
    )
}

/// A good announcement whose attribute of this type is replaced.
pub fn instead(flags: u8, code: u8, value: &[u8]) -> Vec<u8> {
    let attributes = [origin(), as_path(&[64500, 64501]), next_hop()];
    let replaced = attributes.map(|octets| {
        if octets[1] == code {
            attribute(flags, code, value)
        } else {
            octets
        }
    });
    body(&[], &replaced.concat(), NLRI)
}
