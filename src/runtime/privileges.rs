//! Who the process is once its sockets are open. Nothing that comes after needs a privilege: sessions
//! connect from ports that the kernel chooses, and TCP MD5 keys, TTLs and limits need none.
//!
//! It is done before there is a second thread: capabilities belong to a thread, and the workers of an
//! io_uring keep the credentials that they were made with.

use std::ffi::CString;
use std::io;

use nix::unistd::{Gid, Uid, User, initgroups, setresgid, setresuid, setuid};
use rustix::thread::{
    CapabilitySet, CapabilitySets, clear_ambient_capability_set, set_capabilities, set_no_new_privs,
};

#[derive(Debug, thiserror::Error)]
pub enum PrivilegeError {
    #[error("there is no user {0}: `getent passwd {0}` would show it")]
    NoUser(String),
    #[error("only root can become another user; start as root, or as {0} without --user")]
    NotRoot(String),
    #[error("root is who --user is there to avoid: name a user of the server's own")]
    IsRoot,
    #[error("cannot {what}: {error}")]
    Refused {
        what: &'static str,
        error: io::Error,
    },
    #[error("privileges came back after they were given up; not running with them")]
    CameBack,
}

/// A user to become.
#[derive(Clone, Debug)]
pub struct Account {
    name: CString,
    uid: Uid,
    gid: Gid,
}

impl Account {
    /// Whether it can be become is checked too.
    pub fn find(name: &str) -> Result<Account, PrivilegeError> {
        let no_user = || PrivilegeError::NoUser(name.to_owned());
        let user = User::from_name(name).map_err(refused("look up the user"))?;
        let user = user.ok_or_else(no_user)?;
        if user.uid.is_root() {
            return Err(PrivilegeError::IsRoot);
        }
        if !Uid::effective().is_root() {
            return Err(PrivilegeError::NotRoot(name.to_owned()));
        }
        Ok(Account {
            name: CString::new(name).map_err(|_| no_user())?,
            uid: user.uid,
            gid: user.gid,
        })
    }

    pub fn uid(&self) -> u32 {
        self.uid.as_raw()
    }

    pub fn gid(&self) -> u32 {
        self.gid.as_raw()
    }
}

/// Becomes that user for good. Whoever is not root then has no capability left, and gets none by
/// executing anything.
pub fn give_up_privileges(account: Option<&Account>) -> Result<(), PrivilegeError> {
    if let Some(account) = account {
        become_user(account)?;
    }
    if Uid::effective().is_root() {
        return Ok(());
    }
    clear_ambient_capability_set().map_err(refused("clear the ambient capabilities"))?;
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, none).map_err(refused("give up capabilities"))?;
    set_no_new_privs(true).map_err(refused("rule out new privileges"))
}

/// Groups first: later they could not be changed any more.
fn become_user(account: &Account) -> Result<(), PrivilegeError> {
    let Account { name, uid, gid } = account;
    initgroups(name, *gid).map_err(refused("take the groups of the user"))?;
    setresgid(*gid, *gid, *gid).map_err(refused("become the group"))?;
    setresuid(*uid, *uid, *uid).map_err(refused("become the user"))?;
    match setuid(Uid::from_raw(0)) {
        Ok(()) => Err(PrivilegeError::CameBack),
        Err(_) => Ok(()),
    }
}

fn refused<E: Into<io::Error>>(what: &'static str) -> impl FnOnce(E) -> PrivilegeError {
    move |error| PrivilegeError::Refused {
        what,
        error: error.into(),
    }
}
