//! The decision process (RFC 4271 §9.1.2.2) as it applies to a route server.

/// How MULTI_EXIT_DISC counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum MedMode {
    /// Between paths of one neighbouring AS, by elimination (RFC 4271 §9.1.2.2 (c)).
    #[default]
    SameAs,
    Always,
    Ignore,
}

/// The step that preferred one path to another, in the order in which they are taken.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum DecidedBy {
    Preference,
    AsPathLength,
    Origin,
    Med,
    RouterId,
    PeerAddress,
}
