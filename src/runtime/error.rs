//! Why a runtime did not start.

use std::io;
use std::net::{IpAddr, SocketAddr};

use crate::base::CoreId;

#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    #[error("cannot listen on {address}: {}", bind_words(*.address, .error))]
    Bind {
        address: SocketAddr,
        error: io::Error,
    },
    #[error("cannot set the TCP MD5 key of {peer} on the listener {listener}: {}", md5_words(*.set_count, *.wanted_count, .error))]
    Md5Key {
        peer: IpAddr,
        listener: SocketAddr,
        set_count: usize,
        wanted_count: usize,
        error: io::Error,
    },
    #[error(
        "{limit_kib} KiB of locked memory are allowed, a session core needs 512 KiB for its io_uring: raise it with \
         `ulimit -l 8192`, or LimitMEMLOCK=8M in the systemd unit"
    )]
    LockedMemory { limit_kib: u64 },
    #[error(
        "{limit} open files are allowed, {needed} are needed for {clients} clients: raise the hard limit with \
         `ulimit -Hn {needed}`, or LimitNOFILE={needed} in the systemd unit"
    )]
    OpenFiles {
        limit: u64,
        needed: u64,
        clients: usize,
    },
    #[error(
        "session core {core} cannot start its io_uring executor: {why}. Rialto needs Linux 5.8 or newer with io_uring \
         permitted (sysctl kernel.io_uring_disabled, the seccomp profile of a container)"
    )]
    Executor { core: CoreId, why: String },
    #[error("cannot start {name}: {error}")]
    Thread { name: String, error: io::Error },
    #[error("a configuration has at least one session core and one shard")]
    NoThreads,
}

fn bind_words(address: SocketAddr, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another process listens there (ss -ltnp shows which): end it, or change [server] listen"
                .to_owned()
        }
        io::ErrorKind::AddrNotAvailable => {
            "no interface of this machine has that address; see [server] listen".to_owned()
        }
        io::ErrorKind::PermissionDenied if address.port() < 1024 => format!(
            "ports under 1024 are for root or CAP_NET_BIND_SERVICE (in the systemd unit: \
             AmbientCapabilities=CAP_NET_BIND_SERVICE); port {} is",
            address.port()
        ),
        _ => format!("{error}; see [server] listen"),
    }
}

/// What the kernel charges for a key, rounded up.
const KEY_OCTETS: usize = 160;

fn md5_words(set_count: usize, wanted_count: usize, error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::ENOMEM) => format!(
            "the kernel has no room for more than the {set_count} keys set so far, of {wanted_count}; all keys of a \
             listener count against net.core.optmem_max: raise it with `sysctl -w net.core.optmem_max={}`",
            (wanted_count * KEY_OCTETS).next_power_of_two()
        ),
        Some(libc::ENOPROTOOPT) => "this kernel is built without CONFIG_TCP_MD5SIG".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_operator_can_do_is_said() {
        let address: SocketAddr = "192.0.2.1:179".parse().unwrap();
        let bind = |code| {
            RuntimeError::Bind {
                address,
                error: io::Error::from_raw_os_error(code),
            }
            .to_string()
        };
        let key = |code| {
            let error = io::Error::from_raw_os_error(code);
            RuntimeError::Md5Key {
                peer: address.ip(),
                listener: address,
                set_count: 903,
                wanted_count: 2000,
                error,
            }
            .to_string()
        };
        for (case, text, part) in [
            (
                "a port in use names the address",
                bind(libc::EADDRINUSE),
                "192.0.2.1:179: another process",
            ),
            (
                "a low port names the capability",
                bind(libc::EACCES),
                "CAP_NET_BIND_SERVICE",
            ),
            (
                "a foreign address is called that",
                bind(libc::EADDRNOTAVAIL),
                "no interface",
            ),
            (
                "too many keys name the sysctl and the count",
                key(libc::ENOMEM),
                "the 903 keys set so far",
            ),
            (
                "too many keys name the sysctl and its value",
                key(libc::ENOMEM),
                "net.core.optmem_max=524288",
            ),
            (
                "a kernel without MD5 is called that",
                key(libc::ENOPROTOOPT),
                "CONFIG_TCP_MD5SIG",
            ),
        ] {
            assert!(text.contains(part), "{case}: {text}");
        }
    }
}
