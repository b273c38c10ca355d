//! A program that runs in a namespace while its value lives.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::lan::Place;

pub struct Program {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Program {
    /// `words` must stay in the foreground; what it writes goes to a log in the place's directory.
    pub fn start(
        place: &Place,
        name: &str,
        words: &[&str],
        environment: &[(&str, &str)],
    ) -> Program {
        let log = place.directory.join(format!("{name}.log"));
        let file = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .expect("a log file");
        let child = Command::new("ip")
            .args(["netns", "exec", &place.namespace])
            .args(words)
            .envs(environment.iter().copied())
            .current_dir(&place.directory)
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a second handle of the log"))
            .stderr(file)
            .spawn()
            .unwrap_or_else(|error| panic!("{words:?}: {error}"));
        Program {
            name: name.to_owned(),
            child,
            log,
        }
    }

    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// SIGTERM, then a wait; says whether it ended with status 0 in time.
    pub fn terminate(&mut self, within: Duration) -> bool {
        self.signal("-TERM");
        self.ends(within)
    }

    pub fn signal(&mut self, signal: &str) {
        if self.has_ended() {
            return;
        }
        let _ = Command::new("kill")
            .args([signal, &self.id().to_string()])
            .status();
    }

    /// Ends it at once, as a crash does: it does nothing more.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits; says whether it ended with status 0 in time.
    pub fn ends(&mut self, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        while Instant::now() < deadline {
            if let Ok(Some(status)) = self.child.try_wait() {
                return status.success();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if !self.terminate(Duration::from_secs(3)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let tail = lines[lines.len().saturating_sub(40)..].join("\n");
            eprintln!("--- the last lines of {}:\n{tail}", self.name);
        }
    }
}

/// As `within`; the last refusal is the reason of the panic.
pub fn wait_for(what: &str, patience: Duration, ask: impl FnMut() -> Result<(), String>) {
    if let Err(reason) = within(patience, ask) {
        panic!("waited {patience:?} for {what}: {reason}");
    }
}

/// Asks again and again until the answer is yes or time is up: then the last refusal.
pub fn within(
    patience: Duration,
    mut ask: impl FnMut() -> Result<(), String>,
) -> Result<(), String> {
    let deadline = Instant::now() + patience;
    let mut pause = Duration::from_millis(100);
    loop {
        let answer = ask();
        if answer.is_ok() || Instant::now() >= deadline {
            return answer;
        }
        std::thread::sleep(pause);
        pause = (pause * 3 / 2).min(Duration::from_secs(2));
    }
}
