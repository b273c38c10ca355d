//! The model's answers, remembered: what most clients are owed of each prefix and who is owed
//! something else. Only clients with one path a prefix; ADD-PATH clients are judged by the model.

use std::rc::Rc;

use super::forms::{FormId, NOTHING};
use super::model::Model;

/// Who is owed something else than most; ascending by client. Shared by the prefixes that are
/// announced alike.
type Exceptions = Rc<[(u16, FormId)]>;

pub struct Expected {
    common: Vec<FormId>,
    exceptions: Vec<Exceptions>,
}

impl Expected {
    /// Nothing is owed to anybody.
    pub fn new(prefix_count: usize) -> Expected {
        let nobody: Exceptions = Rc::default();
        Expected {
            common: vec![NOTHING; prefix_count],
            exceptions: vec![nobody; prefix_count],
        }
    }

    /// By prefix: what most clients are owed.
    pub fn common(&self) -> &[FormId] {
        &self.common
    }

    /// What this client is owed.
    pub fn of(&self, prefix: u32, client: u16) -> FormId {
        let exceptions = &self.exceptions[prefix as usize];
        match exceptions.binary_search_by_key(&client, |exception| exception.0) {
            Ok(at) => exceptions[at].1,
            Err(_) => self.common[prefix as usize],
        }
    }

    /// Asks the model anew about `prefixes`; `replaced` is told of each whose exceptions are others
    /// now: prefix, those before, those now.
    pub fn renew(
        &mut self,
        model: &Model,
        prefixes: impl Iterator<Item = u32>,
        mut replaced: impl FnMut(u32, &Exceptions, &Exceptions),
    ) {
        let mut last: Option<(u32, FormId, Exceptions)> = None;
        for prefix in prefixes {
            let alike = last
                .take()
                .filter(|(other, ..)| model.routes(*other) == model.routes(prefix));
            let (common, exceptions) = alike
                .map(|(_, common, exceptions)| (common, exceptions))
                .unwrap_or_else(|| {
                    let (common, exceptions) = model.owed_by_all(prefix);
                    (common, exceptions.into())
                });
            let known = &mut self.exceptions[prefix as usize];
            if *known != exceptions {
                replaced(prefix, known, &exceptions);
            }
            *known = exceptions.clone();
            self.common[prefix as usize] = common;
            last = Some((prefix, common, exceptions));
        }
    }
}
