//! What makes the server reject a share of the routes, and then no more: what it is configured with or
//! learns elsewhere. Knows its files and sockets; which routes, and what follows, is the scenario's.

mod black_list;
mod cache;
mod irr_files;

use std::io;
use std::path::{Path, PathBuf};

pub use black_list::{BlackList, black_list};
pub use cache::Cache;
pub use irr_files::IrrFiles;

use super::control::Asked;
use crate::base::Time;

pub struct Lever {
    kind: Kind,
    /// What has been asked and not been answered.
    asked: Option<Asked>,
}

enum Kind {
    BlackList(BlackList, PathBuf),
    Irr(IrrFiles, PathBuf),
    Cache(Cache),
}

/// What the server has been told by now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Told {
    NotYet,
    /// It says itself that it knows; what it does has been timed from the command on.
    Answered,
    /// The last of it was written at this time, from which on what it does is timed.
    Said(Time),
}

impl Lever {
    pub fn black_list(list: BlackList, control: PathBuf) -> Lever {
        Lever::of(Kind::BlackList(list, control))
    }

    pub fn irr(files: IrrFiles, control: PathBuf) -> Lever {
        Lever::of(Kind::Irr(files, control))
    }

    pub fn cache(cache: Cache) -> Lever {
        Lever::of(Kind::Cache(cache))
    }

    fn of(kind: Kind) -> Lever {
        Lever { kind, asked: None }
    }

    /// All is there that the server does not know of yet. Of VRPs, how many that are.
    pub fn prepare(&mut self, rejects: bool) -> io::Result<Option<usize>> {
        match &mut self.kind {
            Kind::BlackList(list, _) => list.write(rejects).map(|()| None),
            Kind::Irr(files, _) => files.put(rejects).map(|()| None),
            Kind::Cache(cache) => Ok(Some(cache.prepare(rejects))),
        }
    }

    /// The server is told to look.
    pub fn pull(&mut self) -> io::Result<()> {
        match &mut self.kind {
            Kind::BlackList(_, control) | Kind::Irr(_, control) => {
                self.asked = Some(Asked::reload(control)?);
            }
            Kind::Cache(cache) => cache.notify(),
        }
        Ok(())
    }

    /// Never waits.
    pub fn told(&mut self) -> io::Result<Told> {
        match (&mut self.kind, &mut self.asked) {
            (Kind::Cache(cache), _) => Ok(cache.said_at().map_or(Told::NotYet, Told::Said)),
            (_, Some(asked)) => Ok(match asked.is_answered()? {
                true => Told::Answered,
                false => Told::NotYet,
            }),
            _ => Ok(Told::NotYet),
        }
    }
}

/// Where the control socket is, unless said otherwise: beside the configuration.
pub fn control_socket(named: Option<&Path>, config: Option<&Path>) -> PathBuf {
    let beside = || config.unwrap_or("".as_ref()).with_file_name("rialto.sock");
    named.map_or_else(beside, Path::to_owned)
}
