//! Which CPU each pinned thread gets: session cores first, then shards, round and round where there
//! are more threads than CPUs. The management plane gets what they leave.

use std::io;

use core_affinity::CoreId as Cpu;
use glommio::{LocalExecutor, LocalExecutorBuilder, Placement};
use rustix::thread::{CpuSet, sched_setaffinity};

use super::sys;

/// CPUs that this process may use, one for each of `threads`; empty where the kernel does not say.
pub fn cpus_for(threads: usize) -> Vec<Option<Cpu>> {
    assign(&core_affinity::get_core_ids().unwrap_or_default(), threads)
}

fn assign(cpus: &[Cpu], threads: usize) -> Vec<Option<Cpu>> {
    let endless = cpus
        .iter()
        .copied()
        .map(Some)
        .cycle()
        .chain(std::iter::repeat(None));
    endless.take(threads).collect()
}

/// Pins the calling thread; goes on unpinned where that is not allowed.
pub fn pin(name: &str, cpu: Option<Cpu>) {
    if let Some(cpu) = cpu
        && !core_affinity::set_for_current(cpu)
    {
        tracing::warn!(
            thread = name,
            cpu = cpu.id,
            "cannot pin the thread to its CPU; it runs unpinned"
        );
    }
}

/// Keeps the calling thread, and those that it starts, out of the way of `threads` pinned ones, the first `cores` of them
/// session cores: on the CPUs that none of them has; where there is none, on those of shards, or else on
/// all, and always behind them.
pub fn make_way(cores: usize, threads: usize) {
    let cpus = core_affinity::get_core_ids().unwrap_or_default();
    let free = cpus.get(threads..).unwrap_or_default();
    let made = match free.is_empty() {
        true => sys::give_way().and_then(|()| take(&without_cores(&cpus, cores, threads))),
        false => take(free),
    };
    if let Err(error) = made {
        tracing::warn!(%error, "the management plane takes CPU time from the pinned threads");
    }
}

/// The CPUs of shards that no session core has: the cores do nearly all the work.
fn without_cores(cpus: &[Cpu], cores: usize, threads: usize) -> Vec<Cpu> {
    let assigned = assign(cpus, threads);
    let of_cores = &assigned[..cores.min(assigned.len())];
    let is_free = |cpu: &&Cpu| !of_cores.contains(&Some(**cpu));
    cpus.iter().filter(is_free).copied().collect()
}

/// Stays where it is if there is no such CPU.
fn take(cpus: &[Cpu]) -> io::Result<()> {
    if cpus.is_empty() {
        return Ok(());
    }
    let mut set = CpuSet::new();
    let known = cpus.iter().filter(|cpu| cpu.id < CpuSet::MAX_CPU);
    known.for_each(|cpu| set.set(cpu.id));
    Ok(sched_setaffinity(None, &set)?)
}

/// Submission entries of an executor's rings. The kernel keeps what completes beyond it.
const RING_DEPTH: usize = 512;
/// Registered buffers are for files; sockets need none.
const IO_MEMORY: usize = 64 << 10;

/// The executor of the calling thread, on `cpu` where possible.
pub fn executor(name: &str, cpu: Option<Cpu>) -> Result<LocalExecutor, String> {
    if let Some(cpu) = cpu {
        match build(Placement::Fixed(cpu.id)) {
            Ok(executor) => return Ok(executor),
            Err(why) => tracing::warn!(
                thread = name,
                cpu = cpu.id,
                why,
                "cannot bind the executor to its CPU"
            ),
        }
    }
    build(Placement::Unbound)
}

fn build(placement: Placement) -> Result<LocalExecutor, String> {
    let builder = LocalExecutorBuilder::new(placement)
        .ring_depth(RING_DEPTH)
        .io_memory(IO_MEMORY);
    builder.make().map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_wrap_round_the_cpus_there_are() {
        let cpus = [Cpu { id: 2 }, Cpu { id: 5 }];
        let ids = |cpus: &[Cpu], threads| {
            assign(cpus, threads)
                .into_iter()
                .map(|cpu| cpu.map(|cpu| cpu.id))
                .collect::<Vec<_>>()
        };
        assert_eq!(ids(&cpus, 3), [Some(2), Some(5), Some(2)]);
        assert_eq!(ids(&[], 2), [None, None]);
    }

    #[test]
    fn who_makes_way_is_where_no_session_core_is() {
        let cpus = [2, 5, 6, 7].map(|id| Cpu { id });
        let cases: [(usize, usize, &[Cpu]); 6] = [
            (1, 4, &cpus[1..]),
            (2, 4, &cpus[2..]),
            (3, 9, &cpus[3..]),
            (4, 4, &[]),
            (4, 8, &[]),
            (9, 12, &[]),
        ];
        for (cores, threads, expected) in cases {
            let way = without_cores(&cpus, cores, threads);
            assert_eq!(way, expected, "{cores} of {threads}");
        }
        assert!(without_cores(&[], 1, 2).is_empty());
    }
}
