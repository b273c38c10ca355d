//! stub
use crate::base::Asn;
use crate::policy::{IrrSet, PrefixRange};
use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
pub struct IrrStore;
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct IrrProblem;
#[derive(Default)]
pub struct IrrReport {
    pub sets: HashMap<String, Arc<IrrSet>>,
    pub problems: Vec<IrrProblem>,
}
impl IrrStore {
    pub fn new(_: PathBuf, _: Option<PathBuf>) -> IrrStore {
        IrrStore
    }
    pub fn refresh(&mut self, _: &BTreeSet<String>) -> IrrReport {
        IrrReport::default()
    }
    pub fn merged(&mut self, _a: &[String], p: &[PrefixRange], o: &[Asn]) -> Option<Arc<IrrSet>> {
        Some(Arc::new(IrrSet::new(
            p.to_vec().into_iter().collect(),
            o.to_vec(),
        )))
    }
}
