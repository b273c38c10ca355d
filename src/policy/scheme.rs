//! The control communities of an exchange.

use crate::wire::{AttributeSet, CommunityScrub};

use super::{Actions, Directory};

/// Which communities mean what.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ControlScheme {}

impl ControlScheme {
    /// What the set's communities ask for.
    pub fn actions(&self, _set: &AttributeSet, _directory: &Directory) -> Actions {
        Actions::default()
    }

    /// What goes on import: communities under the server's ASN that are no control communities.
    pub fn import_scrub(&self) -> &dyn CommunityScrub {
        self
    }

    /// What goes on export: control communities.
    pub fn export_scrub(&self) -> &dyn CommunityScrub {
        self
    }
}

impl CommunityScrub for ControlScheme {
    fn removes_standard(&self, _community: (u16, u16)) -> bool {
        false
    }
    fn removes_large(&self, _community: (u32, u32, u32)) -> bool {
        false
    }
    fn removes_extended(&self, _community: [u8; 8]) -> bool {
        false
    }
}
