//! CPU time and memory of the server's processes, from /proc.

use serde::Serialize;

/// USER_HZ, which Linux shows to processes as 100 on every architecture of today.
const TICKS_A_SECOND: f64 = 100.0;

#[derive(Clone, Copy, Default, Debug, Serialize)]
pub struct Usage {
    /// User and system time, seconds.
    pub cpu_s: f64,
    /// System time alone.
    pub kernel_s: f64,
    /// Peak resident memory, octets; summed over processes.
    pub memory_peak: u64,
    /// Resident memory at this moment, likewise.
    pub memory: u64,
}

/// What these processes have used; those that have gone count nothing.
pub fn usage(pids: &[u32]) -> Usage {
    pids.iter()
        .filter_map(|&pid| one(pid))
        .fold(Usage::default(), |sum, usage| Usage {
            cpu_s: sum.cpu_s + usage.cpu_s,
            kernel_s: sum.kernel_s + usage.kernel_s,
            memory_peak: sum.memory_peak + usage.memory_peak,
            memory: sum.memory + usage.memory,
        })
}

fn one(pid: u32) -> Option<Usage> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is a name in parentheses, which may hold anything.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let seconds = |index: usize| Some(fields.get(index)?.parse::<f64>().ok()? / TICKS_A_SECOND);
    let (user_s, kernel_s) = (seconds(11)?, seconds(12)?);
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    Some(Usage {
        cpu_s: user_s + kernel_s,
        kernel_s,
        memory_peak: octets(&status, "VmHWM:")?,
        memory: octets(&status, "VmRSS:")?,
    })
}

fn octets(status: &str, name: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = value.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    #[test]
    fn this_process_has_memory_and_a_missing_one_has_none() {
        let mine = super::usage(&[std::process::id()]);
        assert!(mine.memory > 100_000 && mine.memory_peak >= mine.memory);
        assert_eq!(super::usage(&[u32::MAX]).memory_peak, 0);
    }
}
