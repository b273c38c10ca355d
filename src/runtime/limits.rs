//! Resource limits: raised as far as allowed, and checked against what the configuration needs.

use super::RuntimeError;
use super::sys::{self, Resource};

/// What one io_uring executor must be allowed to lock.
const EXECUTOR_LOCKED: u64 = 512 << 10;
/// Descriptors beside those of clients: rings, listeners, logs, the management plane.
const OTHER_FILES: u64 = 512;

pub fn raise(clients: usize, cores: u16) -> Result<(), RuntimeError> {
    let locked = sys::raise_limit(Resource::LockedMemory, EXECUTOR_LOCKED * u64::from(cores))
        .unwrap_or(u64::MAX);
    check_locked_memory(locked)?;
    // A client may hold two connections until their collision is resolved (RFC 4271 §6.8).
    let needed = 2 * clients as u64 + OTHER_FILES;
    let files = sys::raise_limit(Resource::OpenFiles, needed).unwrap_or(u64::MAX);
    check_open_files(files, needed, clients)
}

fn check_locked_memory(limit: u64) -> Result<(), RuntimeError> {
    match limit < EXECUTOR_LOCKED {
        true => Err(RuntimeError::LockedMemory {
            limit_kib: limit >> 10,
        }),
        false => Ok(()),
    }
}

fn check_open_files(limit: u64, needed: u64, clients: usize) -> Result<(), RuntimeError> {
    match limit < needed {
        true => Err(RuntimeError::OpenFiles {
            limit,
            needed,
            clients,
        }),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_that_do_not_suffice_are_errors_with_a_remedy() {
        let locked = check_locked_memory(64 << 10).unwrap_err().to_string();
        assert!(
            locked.starts_with("64 KiB") && locked.contains("LimitMEMLOCK"),
            "{locked}"
        );
        let files = check_open_files(1024, 10_512, 5_000)
            .unwrap_err()
            .to_string();
        assert!(
            files.contains("LimitNOFILE=10512") && files.contains("5000 clients"),
            "{files}"
        );
        assert!(
            check_locked_memory(512 << 10).is_ok()
                && check_open_files(10_512, 10_512, 5_000).is_ok()
        );
    }

    #[test]
    fn the_soft_limit_is_raised_to_the_hard_one() {
        let files = sys::raise_limit(Resource::OpenFiles, 0).unwrap();
        assert_eq!(files, sys::raise_limit(Resource::OpenFiles, 0).unwrap());
    }
}
