//! A progress bar on a terminal; nothing anywhere else.

use std::cell::Cell;
use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

pub struct Progress {
    bar: ProgressBar,
    total: Cell<usize>,
}

impl Progress {
    /// Silent where standard error is no terminal, or if so wished.
    pub fn new(silent: bool) -> Progress {
        let bar = ProgressBar::hidden();
        if !silent && std::io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        }
        // Eighty columns: a bar that wraps leaves its traces.
        let template = "{msg:41} {bar:18} {percent:>3}% {prefix}";
        bar.set_style(ProgressStyle::with_template(template).expect("the template is right"));
        Progress {
            bar,
            total: Cell::new(0),
        }
    }

    /// A new step, with so many things to come.
    pub fn begin(&self, name: &str, total: usize) {
        self.total.set(total);
        self.bar.reset();
        self.bar.set_length(total as u64);
        self.bar.set_message(name.to_owned());
        self.bar.tick();
    }

    /// So many things are still missing.
    pub fn show(&self, missing: usize, sessions: usize) {
        let total = self.total.get().max(missing);
        self.bar.set_length(total as u64);
        self.bar.set_position((total - missing) as u64);
        self.bar.set_prefix(format!("{sessions} sessions"));
    }

    pub fn end(&self) {
        if !self.bar.is_hidden() {
            let (name, elapsed) = (self.bar.message(), self.bar.elapsed());
            self.bar
                .println(format!("  {name} ({:.1} s)", elapsed.as_secs_f64()));
        }
    }

    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
