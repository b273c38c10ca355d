//! `--watch`: a view again and again in its place, with what changed, until q. The terminal is left as it
//! was found.

use std::collections::HashMap;
use std::io::{IsTerminal, Read, Write};
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};
use serde::de::DeserializeOwned;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::fetch::{FetchError, ask_api};
use super::paint::{Paint, Tone};
use super::show::read;
use super::table::{Screen, cut, terminal_size};
use super::{Outcome, count, print};

const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";
const HOME: &str = "\x1b[H";
const REST_OF_LINE: &str = "\x1b[K";
const REST_OF_SCREEN: &str = "\x1b[J";

/// Ctrl-C and Ctrl-D as characters.
const ENDS: [u8; 4] = [b'q', b'Q', 3, 4];

pub fn watch<T: DeserializeOwned>(
    api: &str,
    path: &str,
    every_s: u32,
    text: impl Fn(&T, Screen) -> String,
) -> Result<Outcome, FetchError> {
    let failed = |error: std::io::Error| FetchError::Unreachable {
        api: api.to_owned(),
        why: error.to_string(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let frames = |answer: Result<serde_json::Value, FetchError>| -> Result<Frame, String> {
        let view: T = answer
            .and_then(|value| read(api, value))
            .map_err(|it| it.to_string())?;
        let screen = Screen::of_output();
        let plain = Screen {
            paint: Paint::NONE,
            ..screen
        };
        Ok(Frame {
            plain: text(&view, plain),
            painted: text(&view, screen),
        })
    };
    let is_terminal = std::io::stdout().is_terminal() && std::io::stdin().is_terminal();
    let every = Duration::from_secs(every_s.into());
    runtime.map_err(failed)?.block_on(async {
        // The first answer decides whether there is anything to watch.
        let first = ask_api(api, path).await?;
        let first = Ok(first);
        match is_terminal {
            true => on_terminal((api, path), every, first, frames)
                .await
                .map_err(failed),
            false => in_a_row((api, path), every, first, frames).await,
        }
    })?;
    Ok(Outcome::Well)
}

type Answer = Result<serde_json::Value, FetchError>;

/// One look, with and without colours.
struct Frame {
    plain: String,
    painted: String,
}

/// Where there is no terminal: one look below the other.
async fn in_a_row(
    (api, path): (&str, &str),
    every: Duration,
    first: Answer,
    frames: impl Fn(Answer) -> Result<Frame, String>,
) -> Result<(), FetchError> {
    let mut answer = first;
    loop {
        match frames(answer) {
            Ok(frame) => print(&format!("{}\n", frame.plain)),
            Err(why) => eprintln!("rialto: {why}"),
        }
        tokio::time::sleep(every).await;
        answer = ask_api(api, path).await;
    }
}

async fn on_terminal(
    (api, path): (&str, &str),
    every: Duration,
    first: Answer,
    frames: impl Fn(Answer) -> Result<Frame, String>,
) -> std::io::Result<()> {
    let mut signals = [
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
        signal(SignalKind::hangup())?,
    ];
    let mut resized = signal(SignalKind::window_change())?;
    let _terminal = Terminal::take()?;
    let mut keys = keys();
    let mut shown = Shown::default();
    let mut look = frames(first);
    shown.draw(&look, every);
    let mut next = tokio::time::Instant::now() + every;
    loop {
        let [interrupt, terminate, hang_up] = &mut signals;
        tokio::select! {
            key = keys.recv() => match key {
                Some(key) if !ENDS.contains(&key) => {}
                _ => return Ok(()),
            },
            _ = interrupt.recv() => return Ok(()),
            _ = terminate.recv() => return Ok(()),
            _ = hang_up.recv() => return Ok(()),
            _ = resized.recv() => shown.draw(&look, every),
            () = tokio::time::sleep_until(next) => {
                let answer = ask_api(api, path);
                let mut answer = std::pin::pin!(answer);
                let answer = loop {
                    // A server that does not answer must not keep anybody here.
                    tokio::select! {
                        answer = &mut answer => break answer,
                        key = keys.recv() => if key.is_none_or(|key| ENDS.contains(&key)) { return Ok(()) },
                    }
                };
                look = frames(answer);
                shown.draw(&look, every);
                next = tokio::time::Instant::now() + every;
            }
        }
    }
}

/// What is typed. The thread that reads ends with the process.
fn keys() -> mpsc::UnboundedReceiver<u8> {
    let (typed, keys) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for octet in std::io::stdin().lock().bytes() {
            if octet.is_ok_and(|octet| typed.send(octet).is_ok()) {
                continue;
            }
            return;
        }
    });
    keys
}

/// The other screen, with keys as they are typed; given back when this is dropped.
struct Terminal {
    before: Termios,
}

impl Terminal {
    fn take() -> std::io::Result<Terminal> {
        let stdin = std::io::stdin();
        let before = tcgetattr(stdin.as_fd())?;
        let mut now = before.clone();
        now.local_modes &= !(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG);
        now.special_codes[SpecialCodeIndex::VMIN] = 1;
        now.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(stdin.as_fd(), OptionalActions::Now, &now)?;
        print(ENTER);
        Ok(Terminal { before })
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        print(LEAVE);
        let stdin = std::io::stdin();
        // There is nobody left to tell.
        let _ = tcsetattr(stdin.as_fd(), OptionalActions::Now, &self.before);
        let _ = std::io::stdout().flush();
    }
}

/// What was drawn last, to see what changed.
#[derive(Default)]
struct Shown {
    /// Lines by their first word, where that is the only such line.
    before: Option<HashMap<String, String>>,
}

impl Shown {
    fn draw(&mut self, look: &Result<Frame, String>, every: Duration) {
        let (width, height) = terminal_size().unwrap_or((80, 24));
        let screen = Screen::of_output();
        let (lines, foot) = match look {
            Ok(frame) => (self.lines(frame, (width, screen.paint)), String::new()),
            Err(why) => (Vec::new(), format!("{why}; ")),
        };
        let room = height.saturating_sub(1);
        let hidden = lines.len().saturating_sub(room);
        let mut text = HOME.to_owned();
        for line in lines.iter().take(room) {
            text += &format!("{line}{REST_OF_LINE}\r\n");
        }
        let more = match hidden {
            0 => String::new(),
            hidden => format!("{} more; ", count(hidden, "line")),
        };
        let foot = format!("{foot}{more}every {} s, q ends it", every.as_secs());
        let foot: String = foot.chars().take(width.saturating_sub(1)).collect();
        let tone = if look.is_ok() { Tone::Faint } else { Tone::Bad };
        text += &format!(
            "{}{REST_OF_LINE}{REST_OF_SCREEN}",
            screen.paint.paint(tone, &foot)
        );
        print(&text);
    }

    /// Painted lines; in those that are other than before, what is other.
    fn lines(&mut self, frame: &Frame, (width, paint): (usize, Paint)) -> Vec<String> {
        let now = by_first_word(&frame.plain);
        let before = self.before.replace(now);
        let mut lines = Vec::new();
        for (plain, painted) in frame.plain.lines().zip(frame.painted.lines()) {
            let old = before
                .as_ref()
                .and_then(|before| before.get(first_word(plain)));
            lines.push(match old {
                // What went on in the next line would push all others down.
                _ if plain.chars().count() > width => cut(plain, width),
                Some(old) if old != plain => marked(old, plain, painted, paint),
                _ => painted.to_owned(),
            });
        }
        lines
    }
}

fn first_word(line: &str) -> &str {
    line.split_whitespace().next().unwrap_or_default()
}

fn by_first_word(text: &str) -> HashMap<String, String> {
    let mut lines: HashMap<String, Option<String>> = HashMap::new();
    for line in text.lines() {
        let known = lines.entry(first_word(line).to_owned());
        known
            .and_modify(|line| *line = None)
            .or_insert_with(|| Some(line.to_owned()));
    }
    lines
        .into_iter()
        .filter_map(|(word, line)| Some((word, line?)))
        .collect()
}

/// The line with what is other than before marked; as it is painted, if only times went on.
fn marked(old: &str, plain: &str, painted: &str, paint: Paint) -> String {
    let old: Vec<&str> = old.split_whitespace().collect();
    let words: Vec<&str> = plain.split_whitespace().collect();
    let is_time = |at: usize| {
        let is_unit = |word: &str| ["s", "min", "h", "d"].contains(&word.trim_end_matches(','));
        let next = words.get(at + 1).copied().unwrap_or_default();
        is_unit(words[at]) || is_unit(next)
    };
    let is_other = |at: usize| old.get(at) != words.get(at) && !is_time(at);
    // Where a time has become one word longer, what follows stands elsewhere.
    let is_moved = old.len() != words.len();
    if is_moved || !(0..words.len()).any(is_other) {
        return painted.to_owned();
    }
    let (mut line, mut rest) = (String::new(), plain);
    for (at, word) in words.iter().enumerate() {
        let start = rest.find(word).unwrap_or(0);
        line += &rest[..start];
        line += &match is_other(at) {
            true => paint.paint(Tone::Changed, word),
            false => (*word).to_owned(),
        };
        rest = &rest[start + word.len()..];
    }
    line + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_other_than_before_is_marked_and_time_is_not() {
        let paint = Paint::ALWAYS;
        let cases = [
            (
                "a number",
                "a  Up  5 min 6 s  7",
                "a  Up  5 min 8 s  9",
                "a  Up  5 min 8 s  \x1b[1;36m9\x1b[0m",
            ),
            (
                "only time",
                "a  Up  5 min 6 s  7",
                "a  Up  5 min 8 s  7",
                "painted",
            ),
            (
                "a time of other words",
                "a  Up  59 s  7",
                "a  Up  1 min 1 s  7",
                "painted",
            ),
        ];
        for (case, old, new, expected) in cases {
            assert_eq!(marked(old, new, "painted", paint), expected, "{case}");
        }
    }

    #[test]
    fn a_line_is_known_again_wherever_it_stands() {
        let mut shown = Shown::default();
        let frame = |text: &str| Frame {
            plain: text.to_owned(),
            painted: text.to_owned(),
        };
        let first = shown.lines(&frame("a  1\nb  2\n"), (9, Paint::ALWAYS));
        assert_eq!(first, ["a  1", "b  2"], "at first nothing is new");
        let second = shown.lines(&frame("b  2\na  3\nc  4 4 4 4 4\n"), (9, Paint::ALWAYS));
        assert_eq!(second, ["b  2", "a  \x1b[1;36m3\x1b[0m", "c  4 4 4…"]);
    }
}
