//! Why a path was not accepted.

/// Reject reasons; the numbers are those that looking glasses show, and never change.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum RejectReason {
    PrefixLength = 1,
    BogonPrefix = 2,
    AsPathTooLong = 3,
    BogonAsn = 4,
    LeftmostAs = 5,
    NextHop = 6,
    OwnAs = 7,
    /// The client's `accepted_max` is reached and its action is "block".
    AcceptedLimit = 8,
    /// The client is quarantined: its routes are evaluated and shown, none is relayed.
    Quarantined = 9,
    EmptyAsPath = 10,
}

/// The outcome of import for one path.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Verdict {
    Accepted,
    Rejected(RejectReason),
}

impl Verdict {
    pub const fn is_accepted(self) -> bool {
        matches!(self, Verdict::Accepted)
    }
}
