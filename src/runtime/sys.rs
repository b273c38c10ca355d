//! What the kernel is asked directly: socket options that no crate knows, vectored sends on a
//! borrowed descriptor, resource limits. The only `unsafe` of the project.
#![allow(unsafe_code)]

use std::io::{self, IoSlice};
use std::mem::size_of;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use socket2::{SockAddr, SockRef, Socket};

/// The longest TCP MD5 key that Linux takes (`TCP_MD5SIG_MAXKEYLEN`).
pub const MD5_KEY_LEN_MAX: usize = 80;

/// `struct tcp_md5sig` of `<linux/tcp.h>`.
#[repr(C)]
struct TcpMd5Sig {
    address: libc::sockaddr_storage,
    flags: u8,
    prefix_len: u8,
    key_len: u16,
    interface: libc::c_int,
    key: [u8; MD5_KEY_LEN_MAX],
}

const _: () = assert!(size_of::<TcpMd5Sig>() == 216);

/// Sets the key for segments from and to `peer` (RFC 2385); an empty key removes it.
///
/// ENOMEM: the keys of this socket fill `net.core.optmem_max`.
pub fn set_md5_key(socket: &impl AsRawFd, peer: IpAddr, key: &[u8]) -> io::Result<()> {
    if key.len() > MD5_KEY_LEN_MAX {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("a TCP MD5 key has at most {MD5_KEY_LEN_MAX} octets"),
        ));
    }
    let mut value = TcpMd5Sig {
        address: storage_of(peer),
        flags: 0,
        prefix_len: 0,
        key_len: key.len() as u16,
        interface: 0,
        key: [0; MD5_KEY_LEN_MAX],
    };
    value.key[..key.len()].copy_from_slice(key);
    set_option(
        socket.as_raw_fd(),
        libc::IPPROTO_TCP,
        libc::TCP_MD5SIG,
        &value,
    )
}

fn storage_of(address: IpAddr) -> libc::sockaddr_storage {
    let address = SockAddr::from(SocketAddr::new(address, 0));
    // SAFETY: sockaddr_storage is plain octets, for which zero is valid.
    let mut storage: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
    // SAFETY: SockAddr holds `len` initialised octets, and no socket address is longer than a
    // sockaddr_storage; the two do not overlap.
    unsafe {
        std::ptr::copy_nonoverlapping(
            address.as_ptr().cast::<u8>(),
            (&raw mut storage).cast::<u8>(),
            address.len() as usize,
        );
    }
    storage
}

/// GTSM (RFC 5082): drops what comes with a TTL (hop limit) under `least`; 0 drops nothing.
pub fn set_least_ttl(socket: &impl AsRawFd, ipv6: bool, least: u8) -> io::Result<()> {
    let (level, option) = match ipv6 {
        true => (libc::IPPROTO_IPV6, libc::IPV6_MINHOPCOUNT),
        false => (libc::IPPROTO_IP, libc::IP_MINTTL),
    };
    set_option(socket.as_raw_fd(), level, option, &libc::c_int::from(least))
}

/// Sends with the largest TTL (hop limit), as GTSM asks.
pub fn set_ttl_255(socket: &impl AsRawFd, ipv6: bool) -> io::Result<()> {
    let (level, option) = match ipv6 {
        true => (libc::IPPROTO_IPV6, libc::IPV6_UNICAST_HOPS),
        false => (libc::IPPROTO_IP, libc::IP_TTL),
    };
    set_option(socket.as_raw_fd(), level, option, &(255 as libc::c_int))
}

/// `T` must be the type that the kernel documents for the option.
fn set_option<T>(fd: RawFd, level: libc::c_int, option: libc::c_int, value: &T) -> io::Result<()> {
    // SAFETY: the kernel reads size_of::<T>() octets at `value`, which is a live reference.
    let result = unsafe {
        libc::setsockopt(
            fd,
            level,
            option,
            (&raw const *value).cast(),
            size_of::<T>() as libc::socklen_t,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// The descriptor of a socket that another value owns; `SockRef::from(&borrow(…))` has its options.
pub fn borrow(socket: &impl AsRawFd) -> BorrowedFd<'_> {
    // SAFETY: the descriptor stays open as long as its owner, which the result borrows.
    unsafe { BorrowedFd::borrow_raw(socket.as_raw_fd()) }
}

/// One `sendmsg`: never waits, never raises SIGPIPE.
pub fn send(socket: &impl AsRawFd, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
    SockRef::from(&borrow(socket))
        .send_vectored_with_flags(pieces, libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL)
}

/// Which of the sockets take octets now, or are broken; if that cannot be told, all of them. Never waits.
pub fn writable<'a, S: AsRawFd + 'a>(sockets: impl Iterator<Item = &'a S>) -> Vec<bool> {
    let mut polled: Vec<libc::pollfd> = sockets
        .map(|socket| libc::pollfd {
            fd: socket.as_raw_fd(),
            events: libc::POLLOUT,
            revents: 0,
        })
        .collect();
    // SAFETY: the kernel reads and writes `polled.len()` entries of a live, unique slice.
    let result = unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, 0) };
    polled
        .iter()
        .map(|entry| result < 0 || entry.revents != 0)
        .collect()
}

/// Gives a connected or connecting socket to the executor of this thread.
pub fn into_stream(socket: Socket) -> glommio::net::TcpStream {
    // SAFETY: into_raw_fd gives up the ownership that from_raw_fd takes.
    unsafe { glommio::net::TcpStream::from_raw_fd(socket.into_raw_fd()) }
}

/// Gives a listening socket to the executor of this thread.
pub fn into_listener(listener: TcpListener) -> glommio::net::TcpListener {
    // SAFETY: as above.
    unsafe { glommio::net::TcpListener::from_raw_fd(listener.into_raw_fd()) }
}

/// Gives the far end of a bell to the executor of this thread.
pub fn into_local_stream(stream: UnixStream) -> glommio::net::UnixStream {
    // SAFETY: as above.
    unsafe { glommio::net::UnixStream::from_raw_fd(stream.into_raw_fd()) }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Resource {
    LockedMemory,
    OpenFiles,
}

/// Raises the soft limit to the hard one and, where we may, the hard one to `needed`.
/// Returns the soft limit that is in force now.
pub fn raise_limit(resource: Resource, needed: u64) -> io::Result<u64> {
    let resource = match resource {
        Resource::LockedMemory => libc::RLIMIT_MEMLOCK,
        Resource::OpenFiles => libc::RLIMIT_NOFILE,
    };
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the kernel writes one rlimit to a live, unique reference.
    if unsafe { libc::getrlimit(resource, &mut limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    for wanted in [limit.rlim_max.max(needed), limit.rlim_max] {
        let raised = libc::rlimit {
            rlim_cur: wanted,
            rlim_max: wanted,
        };
        // SAFETY: the kernel reads one rlimit from a live reference.
        if wanted > limit.rlim_cur && unsafe { libc::setrlimit(resource, &raised) } == 0 {
            return Ok(wanted);
        }
    }
    Ok(limit.rlim_cur)
}

/// The process that `command` begins gets SIGTERM when the thread that begins it ends.
pub fn end_with_parent(command: &mut Command) {
    let parent = std::process::id();
    let tie = move || {
        // SAFETY: takes numbers only.
        if unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // The parent may have ended before.
        // SAFETY: takes nothing, cannot fail.
        if unsafe { libc::getppid() }.cast_unsigned() == parent {
            Ok(())
        } else {
            Err(io::ErrorKind::NotConnected.into())
        }
    };
    // SAFETY: between fork and exec the closure makes two system calls and allocates nothing.
    unsafe { command.pre_exec(tie) };
}

/// `mi_option_purge_delay` of `<mimalloc.h>`, which the crate does not name.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// What the allocator frees goes back to the kernel at once, and memory comes in pages of 4 KiB.
///
/// Huge pages are zeroed and counted whole however little of them is used. What is freed would wait
/// for the next allocation of the thread that owns it, and a quiet server makes none.
pub fn keep_memory_small() {
    // SAFETY: both take numbers only. A kernel that knows no huge pages refuses, and has none.
    unsafe {
        libmimalloc_sys::mi_option_set(PURGE_DELAY, 0);
        libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0);
    }
}

/// `struct sched_attr` of `<linux/sched/types.h>`, its first version.
#[repr(C)]
struct SchedAttr {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime: u64,
    deadline: u64,
    period: u64,
}

const _: () = assert!(size_of::<SchedAttr>() == 48);

/// The least weight that an ordinary thread can have.
pub const NICE_MAX: i32 = 19;
/// The longest slice that Linux knows. A thread with a shorter one that wakes up has the CPU at once (since 6.12;
/// kernels before look at the weight alone).
const SLICE_NS: u64 = 100_000_000;

/// The calling thread, and those that it starts, let all others go before them.
pub fn give_way() -> io::Result<()> {
    let attr = SchedAttr {
        size: size_of::<SchedAttr>() as u32,
        policy: libc::SCHED_OTHER.cast_unsigned(),
        flags: 0,
        nice: NICE_MAX,
        priority: 0,
        runtime: SLICE_NS,
        deadline: 0,
        period: 0,
    };
    // SAFETY: the kernel reads `size` octets from a live reference; the first 0 is the calling thread.
    match unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attr, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The kernel's number of the calling thread.
pub fn thread_id() -> i32 {
    // SAFETY: takes nothing, cannot fail.
    unsafe { libc::gettid() }
}

/// CPU time so far of a thread of this process; `None` when it has ended.
pub fn thread_cpu_time(thread_id: i32) -> Option<Duration> {
    // How Linux makes the clock of a thread from its number (pthread_getcpuclockid does the same).
    let clock = (!thread_id << 3) | 6;
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the kernel writes one timespec to a live, unique reference.
    let result = unsafe { libc::clock_gettime(clock, &mut time) };
    (result == 0).then(|| Duration::new(time.tv_sec as u64, time.tv_nsec as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_that_is_set_is_the_purge_delay() {
        // SAFETY: both take numbers only.
        let read = || unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) };
        assert_eq!(read(), 1_000, "the default of mimalloc 3");
        keep_memory_small();
        assert_eq!(read(), 0);
    }
}
