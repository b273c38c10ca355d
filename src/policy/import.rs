//! Import checks.

use crate::base::Prefix;
use crate::wire::AttributeSet;

use super::Verdict;

/// One client's import checks, compiled.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ImportPolicy {}

impl ImportPolicy {
    /// The checks that all prefixes of an attribute set share.
    pub fn check_attributes(&self, _set: &AttributeSet) -> Verdict {
        Verdict::Accepted
    }

    /// The checks of one prefix; asked when [`Self::check_attributes`] accepts.
    pub fn check_prefix(&self, _prefix: &Prefix) -> Verdict {
        Verdict::Accepted
    }
}
