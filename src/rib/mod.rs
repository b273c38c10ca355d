//! A shard's table: attribute sets, candidates, the decision, audiences, deltas.
//!
//! Knows nothing of sessions, queues or messages, and never calls policy but for audiences.

mod assignment;
mod charges;
mod chunks;
mod decision;
mod delta;
mod eligibility;
mod path;
mod path_list;
mod sets;
mod stamp;
mod table;

pub use assignment::{Assigned, Assignment, Assignments, Capacities, Scope, Tables};
pub use decision::{AnnouncerOrder, DecidedBy, Decision, MedMode};
pub use delta::{At, ChangeGroup, Changes, Form, Record, difference, present};
pub use eligibility::{Eligibility, EligibilityId, EligibilityTable, Request, Versions};
pub use path::{Path, Rank};
pub use path_list::PathList;
pub use sets::{SetId, SetTable};
pub use stamp::Stamp;
pub use table::{Entry, Marks, Table};
