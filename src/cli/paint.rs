//! Colours, for terminals alone.

use std::io::IsTerminal;

/// What a piece of text is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Tone {
    Good,
    Bad,
    /// Worth a look.
    Doubtful,
    /// A heading.
    Strong,
    /// Beside the point.
    Faint,
    /// Other than a moment ago.
    Changed,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Paint {
    is_on: bool,
}

impl Paint {
    pub const NONE: Paint = Paint { is_on: false };
    #[cfg(test)]
    pub const ALWAYS: Paint = Paint { is_on: true };

    /// For standard output: on if it is a terminal that has colours, and nobody said NO_COLOR.
    pub fn of_output() -> Paint {
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
        Paint {
            is_on: std::io::stdout().is_terminal() && !is_set("NO_COLOR") && !is_dumb,
        }
    }

    pub fn paint(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Good => "32",
            Tone::Bad => "31",
            Tone::Doubtful => "33",
            Tone::Strong => "1",
            Tone::Faint => "2",
            Tone::Changed => "1;36",
        };
        match self.is_on && !text.is_empty() {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }
}
