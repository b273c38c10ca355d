//! Identities that the parts of one server use among themselves. None of them is on the wire but
//! [`PathId`].

use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub $inner);

        impl $name {
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    };
}

id!(
    /// A configured client's place in every table and bitmap. Reused only after the generation
    /// that freed it has been acknowledged everywhere.
    ClientSlot(u16)
);
id!(
    /// A session core: one pinned glommio executor.
    CoreId(u16)
);
id!(
    /// A shard: one pinned thread that owns a share of the prefixes.
    ShardId(u16)
);
id!(
    /// A prefix's place in its shard's table. Means nothing outside that shard.
    PrefixSlot(u32)
);
id!(
    /// The compiled configuration under which something was decided.
    Generation(u32)
);
id!(
    /// The how-manieth session of a client slot; a path of an older one is dead.
    SessionEpoch(u32)
);
id!(
    /// One walk over the whole table for clients that join or refresh; unique within a session core.
    WalkId(u32)
);
id!(
    /// RFC 7911 Path Identifier as Rialto sends it: the announcer's slot plus one.
    PathId(u32)
);

impl PathId {
    pub const fn of(announcer: ClientSlot) -> PathId {
        PathId(announcer.0 as u32 + 1)
    }

    pub const fn announcer(self) -> Option<ClientSlot> {
        match self.0 {
            0 => None,
            n if n > 0x1_0000 => None,
            n => Some(ClientSlot((n - 1) as u16)),
        }
    }
}
