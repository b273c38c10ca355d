//! The thin outer ring of the data path: pinned threads, glommio executors, sockets, mailboxes and
//! the clock. It steps session cores and shards and knows nothing of what they decide.
//!
//! ```text
//! core-N (glommio)   accept · read · handle_octets ─ to_shards ─▶ shard-N (std thread)
//!   loop: mail, deltas, timers, actions, writes  ◀── deltas ───   loop: mail, turn, send, park
//!        ▲ mail (commands, accepted sockets)                        ▲ mail (questions, reload)
//!        └──────────────── RuntimeHandle (management plane) ────────┘
//! ```
//!
//! Each arrow is a bounded [`mailbox`]; a full one refuses, and rings the refused when there is room.

mod accept;
mod clock;
mod connection;
mod core_loop;
mod core_thread;
mod error;
mod handle;
mod limits;
pub mod mailbox;
mod placement;
mod privileges;
mod rest;
mod server_steps;
mod shard_thread;
mod sockets;
mod start;
pub mod step;
pub mod sys;
mod thread_state;
mod wiring;

pub use clock::{Clock, wall_clock};
pub use error::RuntimeError;
pub use handle::{RuntimeHandle, Stopped};
pub use privileges::{Account, PrivilegeError, give_up_privileges};
pub use start::{Bound, Runtime, RuntimeOptions};
pub use sys::{end_with_parent, keep_memory_small};
pub use thread_state::ThreadRow;
