//! What the server logs, kept for the tests of this process.

use std::io;
use std::sync::{Mutex, Once, PoisonError};
use std::time::Instant;

use tracing_subscriber::EnvFilter;

use super::PATIENCE;

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Keeper;

impl io::Write for Keeper {
    /// One line each.
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let mut lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push(String::from_utf8_lossy(octets).into_owned());
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// From now on lines are kept, as the default level lets them through.
pub fn keep() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new("rialto=info"))
            .with_ansi(false)
            .with_writer(|| Keeper)
            .init();
    });
}

/// Lines that have all of these words.
pub fn lines(words: &[&str]) -> Vec<String> {
    let lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    let has_all = |line: &&String| words.iter().all(|word| line.contains(word));
    lines.iter().filter(has_all).cloned().collect()
}

/// Waits for a line about a client that has these words; else says what was logged about it.
pub fn expect(client: &str, words: &str) -> Result<(), String> {
    let name = format!("\"{client}\"");
    let since = Instant::now();
    while lines(&[&name, words]).is_empty() {
        if since.elapsed() > PATIENCE {
            return Err(format!("no line with '{words}' but {:?}", lines(&[&name])));
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    match lines(&[&name])
        .iter()
        .find(|line| line.trim_end().contains('\n'))
    {
        Some(line) => Err(format!("the peer has broken a line: {line:?}")),
        None => Ok(()),
    }
}
