//! The process as the kernel sees it, under the names that Prometheus' own client libraries use.

use std::fs;

use super::page::{Labels, Page};

/// What a tick of /proc is in seconds: 1/100 on every machine that Linux and Rust run on (USER_HZ).
const TICKS_PER_S: f64 = 100.0;

/// What cannot be read has no line.
pub fn process(page: &mut Page) {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let cpu = stat_field(&stat, 14).zip(stat_field(&stat, 15));
    let mut counter = page.counter(
        "process_cpu_seconds",
        "CPU time of the process, user and system",
    );
    if let Some((user, system)) = cpu {
        counter.value(&Labels::default(), (user + system) as f64 / TICKS_PER_S);
    }
    let mut one = |name, help, value: Option<f64>| {
        let mut gauge = page.gauge(name, help);
        if let Some(value) = value {
            gauge.value(&Labels::default(), value);
        }
    };
    one(
        "process_start_time_seconds",
        "When the process began, in seconds since 1970",
        stat_field(&stat, 22)
            .zip(boot_s())
            .map(|(ticks, boot_s)| boot_s as f64 + ticks as f64 / TICKS_PER_S),
    );
    one(
        "process_resident_memory_bytes",
        "Memory of the process that is resident",
        status_octets(&status, "VmRSS:"),
    );
    one(
        "process_virtual_memory_bytes",
        "Address space of the process",
        status_octets(&status, "VmSize:"),
    );
    one(
        "process_open_fds",
        "Open file descriptors",
        fs::read_dir("/proc/self/fd")
            .ok()
            .map(|entries| entries.count() as f64),
    );
    one(
        "process_max_fds",
        "File descriptors that may be open",
        max_fds(&limits),
    );
}

/// By its number in proc(5); the name of the program, field 2, may have spaces in it.
fn stat_field(stat: &str, number: usize) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(number - 3)?.parse().ok()
}

/// When the machine began, in seconds since 1970.
fn boot_s() -> Option<u64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let mut lines = stat.lines();
    lines
        .find_map(|line| line.strip_prefix("btime "))?
        .parse()
        .ok()
}

fn status_octets(status: &str, key: &str) -> Option<f64> {
    let mut lines = status.lines();
    let value = lines.find_map(|line| line.strip_prefix(key))?;
    let kib: u64 = value.trim().strip_suffix(" kB")?.parse().ok()?;
    Some((kib * 1_024) as f64)
}

fn max_fds(limits: &str) -> Option<f64> {
    let mut lines = limits.lines();
    let values = lines.find_map(|line| line.strip_prefix("Max open files"))?;
    values.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_whose_name_looks_like_fields_confuses_nobody() {
        let fields = (3..=24).map(|number| number.to_string());
        let stat = format!("7 (a) 1 (b) {}", fields.collect::<Vec<_>>().join(" "));
        assert_eq!(stat_field(&stat, 14), Some(14));
        assert_eq!(stat_field(&stat, 22), Some(22));
        assert_eq!(stat_field("", 22), None);
    }

    #[test]
    fn all_of_it_is_there_for_this_process() {
        let mut page = Page::new(super::super::Dialect::Prometheus);
        process(&mut page);
        let text = page.finish();
        let lines: Vec<&str> = text.lines().filter(|it| !it.starts_with('#')).collect();
        assert_eq!(lines.len(), 6, "{text}");
        for line in lines {
            let (_, value) = line.split_once(' ').expect("a name and a value");
            let value: f64 = value.parse().expect("a number");
            assert!(value > 0.0 || line.starts_with("process_cpu"), "{line}");
        }
    }
}
