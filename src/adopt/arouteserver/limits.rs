//! `max_prefix`: how many prefixes a client may announce, and what happens above.

use crate::adopt::document::{Table, Value};
use crate::adopt::notes::NoteKind;
use crate::adopt::section::Section;
use crate::base::Family;
use crate::config::RECEIVED_MAX;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    Shutdown,
    Restart,
    Block,
    Warning,
}

/// As given; [`MaxPrefix::over`] makes it whole.
#[derive(Clone, Copy, Default, Debug)]
pub struct MaxPrefix {
    action: Option<Action>,
    restart_after_min: Option<u64>,
    count_rejected: Option<bool>,
    peering_db: Option<bool>,
    increment: [Option<u64>; 2],
    /// By [`Family::index`]: of the general file, or of the client.
    limits: [Option<u64>; 2],
}

/// What Rialto is to be told for a family.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct FamilyLimits {
    received_max: Option<u64>,
    accepted_max: Option<u64>,
    accepted_action: &'static str,
}

const ACTIONS: [(&str, Action); 4] = [
    ("shutdown", Action::Shutdown),
    ("restart", Action::Restart),
    ("block", Action::Block),
    ("warning", Action::Warning),
];

/// arouteserver's, where the file has none.
const GENERAL_LIMITS: [u64; 2] = [170_000, 12_000];
const INCREMENT: [u64; 2] = [100, 15];
const RESTART_AFTER_MIN: u64 = 15;

impl MaxPrefix {
    /// The section `filtering.max_prefix`, whose limits are named differently for clients.
    pub fn read(section: &Section<'_>, limits: [&'static str; 2]) -> MaxPrefix {
        let action = section.field("action");
        let (peering_db, increment) = MaxPrefix::read_peering_db(section);
        let max_prefix = MaxPrefix {
            action: action.as_ref().and_then(|action| action.one_of(&ACTIONS)),
            restart_after_min: section.number("restart_after"),
            count_rejected: section.bool("count_rejected_routes"),
            peering_db,
            increment,
            limits: limits.map(|key| section.number(key)),
        };
        let counts_rejected = max_prefix.count_rejected.unwrap_or(true);
        if let (Some(action), Some(Action::Block | Action::Warning), true) =
            (action, max_prefix.action, counts_rejected)
        {
            let why = "accepted routes alone are counted (accepted_max), as with \
                       count_rejected_routes: False";
            action.note(NoteKind::Differs, why);
        }
        max_prefix
    }

    /// Before arouteserver 0.13 it was a plain value.
    fn read_peering_db(section: &Section<'_>) -> (Option<bool>, [Option<u64>; 2]) {
        let Some(field) = section.field("peering_db") else {
            return (None, [None; 2]);
        };
        if !field.is_map() {
            return (field.bool(), [None; 2]);
        }
        let peering_db = field.section();
        let enabled = peering_db.bool("enabled");
        let increment = peering_db.child("increment");
        let given = ["absolute", "relative"].map(|key| increment.number(key));
        increment.finish();
        peering_db.finish();
        (enabled, given)
    }

    /// What cannot be said for a client alone.
    pub fn note_client(&self, general: &MaxPrefix, section: &Section<'_>) {
        if self.increment.iter().any(Option::is_some) {
            let why = "what is added to PeeringDB's figures is the same for all clients";
            let path = format!("{}.peering_db.increment", section.path);
            section
                .notes
                .add(NoteKind::Missing, &path, &section.place, why);
        }
        if self.peering_db == Some(true) && !general.peering_db.unwrap_or(true) {
            let why = "PeeringDB's figures are for all clients or for none; limits.ipv4 and \
                       limits.ipv6 of the others go before them";
            let path = format!("{}.peering_db", section.path);
            section
                .notes
                .add(NoteKind::Missing, &path, &section.place, why);
        }
    }

    fn is_said(&self) -> bool {
        let MaxPrefix {
            action,
            restart_after_min,
            count_rejected,
            peering_db,
            limits,
            ..
        } = self;
        action.is_some()
            || restart_after_min.is_some()
            || count_rejected.is_some()
            || peering_db.is_some()
            || limits.iter().any(Option::is_some)
    }

    /// What a client has: its own, else the general.
    fn over(&self, general: &MaxPrefix) -> MaxPrefix {
        MaxPrefix {
            action: self.action.or(general.action),
            restart_after_min: self.restart_after_min.or(general.restart_after_min),
            count_rejected: self.count_rejected.or(general.count_rejected),
            peering_db: self.peering_db.or(general.peering_db),
            increment: general.increment,
            limits: self.limits,
        }
    }

    fn general_limit(&self, family: Family) -> u64 {
        self.limits[family.index()].unwrap_or(GENERAL_LIMITS[family.index()])
    }

    /// A limit of 0 is none.
    fn family(&self, limit: u64) -> FamilyLimits {
        let limit = Some(limit.min(u32::MAX.into())).filter(|limit| *limit > 0);
        let (is_received, accepted_action) = match (self.action, self.count_rejected) {
            (None, _) => {
                return FamilyLimits {
                    received_max: None,
                    accepted_max: None,
                    accepted_action: "warn",
                };
            }
            (Some(Action::Shutdown | Action::Restart), None | Some(true)) => (true, "warn"),
            (Some(Action::Shutdown), Some(false)) => (false, "shutdown"),
            (Some(Action::Restart), Some(false)) => (false, "restart"),
            (Some(Action::Block), _) => (false, "block"),
            (Some(Action::Warning), _) => (false, "warn"),
        };
        FamilyLimits {
            received_max: limit.filter(|_| is_received),
            accepted_max: limit.filter(|_| !is_received),
            accepted_action,
        }
    }

    /// How long a session rests after a limit closed it.
    fn restart(&self) -> Option<Value> {
        match self.action? {
            Action::Shutdown => Some("none".into()),
            Action::Restart => {
                let minutes = self.restart_after_min.unwrap_or(RESTART_AFTER_MIN);
                Some(minutes.saturating_mul(60).clamp(1, u32::MAX.into()).into())
            }
            Action::Block | Action::Warning => None,
        }
    }

    /// Whether limits come from PeeringDB.
    pub fn asks_peering_db(&self) -> bool {
        self.action.is_some() && self.peering_db.unwrap_or(true)
    }

    pub fn client_asks_peering_db(&self, general: &MaxPrefix) -> bool {
        self.over(general).asks_peering_db()
    }

    /// `[defaults.limits]`.
    pub fn write_restart(&self, table: &mut Table) {
        if self.action.is_none() {
            table.comment("max_prefix.action is not set: there are no limits.");
        }
        table.set_some("restart", self.restart());
    }

    /// `[defaults.limits.ipv4]` and `.ipv6`.
    pub fn write_general(&self, family: Family, table: &mut Table) {
        let rialto = FamilyLimits {
            received_max: Some(RECEIVED_MAX[family.index()].into()),
            accepted_max: None,
            accepted_action: "warn",
        };
        let limits = self.family(self.general_limit(family));
        limits.write("", rialto, true, table);
    }

    /// `[peeringdb]`: what is done with its figures.
    pub fn write_increment(&self, table: &mut Table) {
        let [absolute, relative] =
            [0, 1].map(|index| self.increment[index].unwrap_or(INCREMENT[index]));
        let percent = relative.saturating_add(100);
        table.set("increment", absolute);
        let factor = format!("{}.{:02}", percent / 100, percent % 100);
        table.set("factor", Value::Decimal(factor));
    }

    /// What a client has of its own, for the families it speaks.
    pub fn write_client(&self, general: &MaxPrefix, families: &[Family], table: &mut Table) {
        if !self.is_said() {
            return;
        }
        let whole = self.over(general);
        let restart = whole.restart();
        table.set_some(
            "limits.restart",
            restart.filter(|restart| general.restart().as_ref() != Some(restart)),
        );
        let leaves_peering_db =
            general.peering_db.unwrap_or(true) && self.peering_db == Some(false);
        for family in families {
            let limit = self.limits[family.index()];
            let limits = whole.family(limit.unwrap_or(general.general_limit(*family)));
            let inherited = general.family(general.general_limit(*family));
            // PeeringDB's figure goes before what is inherited, but after what is a client's own.
            let is_own = limit.is_some() || leaves_peering_db;
            limits.write(&format!("limits.{family}."), inherited, is_own, table);
        }
    }
}

impl FamilyLimits {
    /// What is different from what is inherited; a limit of its own in any case.
    fn write(&self, prefix: &str, inherited: FamilyLimits, is_own: bool, table: &mut Table) {
        let limits = [
            ("received_max", self.received_max, inherited.received_max),
            ("accepted_max", self.accepted_max, inherited.accepted_max),
        ];
        for (key, limit, inherited) in limits {
            if limit != inherited || is_own && limit.is_some() {
                let limit = limit.map_or(Value::from("none"), Value::from);
                table.set(&format!("{prefix}{key}"), limit);
            }
        }
        if self.accepted_action != inherited.accepted_action {
            table.set(&format!("{prefix}accepted_action"), self.accepted_action);
        }
    }
}
