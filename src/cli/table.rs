//! Columns for a terminal.

use std::os::fd::AsFd;

use super::paint::{Paint, Tone};

/// Rows under headings; columns are as wide as they must be, the last one is not padded. A heading
/// that begins with `>` aligns to the right.
pub struct Table {
    headings: Vec<&'static str>,
    rows: Vec<Row>,
    shrinks: Vec<Shrink>,
}

pub struct Row {
    cells: Vec<String>,
    tones: Vec<Option<Tone>>,
}

/// What is given up where a table is wider than the terminal, by heading without `>`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shrink {
    /// Cells are cut, to so many characters at least.
    Cut(&'static str, usize),
    /// The column goes.
    Drop(&'static str),
}

/// Where text goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Screen {
    /// `None`: as wide as it likes.
    pub width: Option<usize>,
    pub paint: Paint,
}

/// Between two columns.
const GAP: usize = 2;

impl Screen {
    #[cfg(test)]
    pub const ENDLESS: Screen = Screen {
        width: None,
        paint: Paint::NONE,
    };

    /// What standard output is.
    pub fn of_output() -> Screen {
        Screen {
            width: terminal_size().map(|(width, _)| width),
            paint: Paint::of_output(),
        }
    }
}

/// Columns and lines of the terminal that standard output is, if it is one.
pub fn terminal_size() -> Option<(usize, usize)> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout().as_fd()).ok()?;
    let is_known = size.ws_col > 0 && size.ws_row > 0;
    is_known.then(|| (size.ws_col.into(), size.ws_row.into()))
}

impl Row {
    /// Colours a cell.
    pub fn tone(&mut self, column: usize, tone: Tone) -> &mut Row {
        self.tones[column] = Some(tone);
        self
    }
}

impl Table {
    pub fn new(headings: &[&'static str]) -> Table {
        Table {
            headings: headings.to_vec(),
            rows: Vec::new(),
            shrinks: Vec::new(),
        }
    }

    /// What is given up, in this order. What is left is cut at the end of the line.
    pub fn shrinking(self, shrinks: &[Shrink]) -> Table {
        Table {
            shrinks: shrinks.to_vec(),
            ..self
        }
    }

    pub fn row(&mut self, cells: Vec<String>) -> &mut Row {
        assert_eq!(cells.len(), self.headings.len(), "a cell for each heading");
        let tones = vec![None; cells.len()];
        self.rows.push(Row { cells, tones });
        let last = self.rows.len() - 1;
        &mut self.rows[last]
    }

    fn name(&self, column: usize) -> &'static str {
        self.headings[column].trim_start_matches('>')
    }

    fn is_right(&self, column: usize) -> bool {
        self.headings[column].starts_with('>')
    }

    /// Of each column; `None`: it is not shown.
    fn widths(&self, screen: Screen) -> Vec<Option<usize>> {
        let columns = 0..self.headings.len();
        let natural = |column: usize| {
            let cells = self.rows.iter().map(|row| width_of(&row.cells[column]));
            cells.chain([width_of(self.name(column))]).max()
        };
        let mut widths: Vec<Option<usize>> = columns.clone().map(natural).collect();
        let Some(room) = screen.width else {
            return widths;
        };
        for shrink in &self.shrinks {
            let shown = widths.iter().flatten();
            let total = shown.clone().sum::<usize>() + GAP * shown.count().saturating_sub(1);
            let over = total.saturating_sub(room);
            let (Shrink::Cut(name, _) | Shrink::Drop(name)) = shrink;
            let column = columns.clone().find(|column| self.name(*column) == *name);
            let width = column.and_then(|column| widths[column].as_mut());
            let Some(width) = width.filter(|_| over > 0) else {
                continue;
            };
            match shrink {
                Shrink::Cut(_, least) => {
                    let least = (*least).max(width_of(name)).min(*width);
                    *width = width.saturating_sub(over).max(least);
                }
                Shrink::Drop(_) => column.into_iter().for_each(|column| widths[column] = None),
            }
        }
        widths
    }

    pub fn text(&self, screen: Screen) -> String {
        let widths = self.widths(screen);
        let names = (0..self.headings.len()).map(|column| self.name(column).to_owned());
        let heading = Row {
            cells: names.collect(),
            tones: vec![Some(Tone::Strong); self.headings.len()],
        };
        let rows = [&heading].into_iter().chain(&self.rows);
        rows.map(|row| self.line(row, &widths, screen)).collect()
    }

    fn line(&self, row: &Row, widths: &[Option<usize>], screen: Screen) -> String {
        let shown = widths.iter().enumerate();
        let shown = shown.filter_map(|(column, width)| Some((column, (*width)?)));
        let shown: Vec<(usize, usize)> = shown.collect();
        let mut room = screen.width.unwrap_or(usize::MAX);
        let (mut line, mut gap) = (String::new(), 0);
        for (column, width) in shown {
            let text = cut(&row.cells[column], width.min(room.saturating_sub(gap)));
            let padding = width.saturating_sub(width_of(&text));
            if text.is_empty() {
                gap += padding + GAP;
                continue;
            }
            let painted = match row.tones[column] {
                Some(tone) => screen.paint.paint(tone, &text),
                None => text.clone(),
            };
            let before = if self.is_right(column) { padding } else { 0 };
            let before = (gap + before).min(room.saturating_sub(width_of(&text)));
            room = room.saturating_sub(before + width_of(&text));
            line += &" ".repeat(before);
            line += &painted;
            gap = GAP + if self.is_right(column) { 0 } else { padding };
        }
        line + "\n"
    }
}

fn width_of(text: &str) -> usize {
    text.chars().count()
}

/// At most so many characters; where some are left out, the last one says so.
pub fn cut(text: &str, width: usize) -> String {
    match text.char_indices().nth(width) {
        None => text.to_owned(),
        Some(_) if width == 0 => String::new(),
        Some(_) => text.chars().take(width - 1).chain(['…']).collect(),
    }
}

/// `3 d 4 h`, `4 h 5 min`, `5 min 6 s`, `6 s`.
pub fn duration(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, _, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

/// `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1.2 MB`.
pub fn octets(count: u64) -> String {
    let units = [
        (1_000_000_000_000, "TB"),
        (1_000_000_000, "GB"),
        (1_000_000, "MB"),
        (1_000, "kB"),
    ];
    match units.iter().find(|(size, _)| count >= *size) {
        Some((size, unit)) => format!("{:.1} {unit}", count as f64 / *size as f64),
        None => format!("{count} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_numbers_stand_right() {
        let mut table = Table::new(&["CLIENT", ">ROUTES", "STATE"]);
        table.row(vec!["AS1-1".to_owned(), "7".to_owned(), "Idle".to_owned()]);
        table.row(vec![
            "Zürich-1".to_owned(),
            "12345678".to_owned(),
            "Established".to_owned(),
        ]);
        assert_eq!(
            table.text(Screen::ENDLESS),
            "CLIENT      ROUTES  STATE\nAS1-1            7  Idle\nZürich-1  12345678  Established\n"
        );
    }

    fn clients() -> Table {
        let mut table = Table::new(&["CLIENT", "ADDRESS", ">ROUTES", "REMARKS"]).shrinking(&[
            Shrink::Cut("REMARKS", 10),
            Shrink::Drop("ADDRESS"),
            Shrink::Cut("CLIENT", 6),
        ]);
        let row = |name: &str, remark: &str| {
            [name, "192.0.2.1", "1,234", remark]
                .map(str::to_owned)
                .to_vec()
        };
        table
            .row(row("a-long-name", "peer closed the connection"))
            .tone(3, Tone::Bad);
        table.row(row("b", ""));
        table
    }

    #[test]
    fn a_table_gives_up_what_is_least_useful_and_never_wraps() {
        let cases: [(usize, &str); 6] = [
            (
                80,
                "a-long-name  192.0.2.1   1,234  peer closed the connection",
            ),
            (50, "a-long-name  192.0.2.1   1,234  peer closed the c…"),
            (42, "a-long-name  192.0.2.1   1,234  peer clos…"),
            (35, "a-long-name   1,234  peer clos…"),
            (28, "a-long-…   1,234  peer clos…"),
            (20, "a-lon…   1,234  pee…"),
        ];
        for (width, expected) in cases {
            let screen = Screen {
                width: Some(width),
                paint: Paint::NONE,
            };
            let text = clients().text(screen);
            assert_eq!(text.lines().nth(1), Some(expected), "{width}");
            assert!(
                text.lines().all(|line| width_of(line) <= width),
                "{width}: {text}"
            );
        }
    }

    #[test]
    fn colours_take_no_room() {
        let screen = Screen {
            width: Some(42),
            paint: Paint::ALWAYS,
        };
        let text = clients().text(screen);
        assert!(
            text.contains("1,234  \x1b[31mpeer clos…\x1b[0m\n"),
            "{text:?}"
        );
        assert!(
            text.starts_with("\x1b[1mCLIENT\x1b[0m       \x1b[1mADDRESS\x1b[0m"),
            "{text:?}"
        );
    }

    #[test]
    fn times_and_sizes_are_short() {
        assert_eq!(
            [0, 59, 61, 3_660, 90_000].map(duration),
            ["0 s", "59 s", "1 min 1 s", "1 h 1 min", "1 d 1 h"]
        );
        assert_eq!(
            [0, 999, 1_000, 1_234_567].map(grouped),
            ["0", "999", "1,000", "1,234,567"]
        );
        assert_eq!(
            [0, 999, 1_000, 1_234_567].map(octets),
            ["0 B", "999 B", "1.0 kB", "1.2 MB"]
        );
    }
}
