//! Columns for a terminal.

/// Rows under headings; columns are as wide as they must be, the last one is not padded. A heading
/// that begins with `>` aligns to the right.
pub struct Table {
    headings: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new(headings: &[&'static str]) -> Table {
        Table {
            headings: headings.to_vec(),
            rows: Vec::new(),
        }
    }

    pub fn row(&mut self, cells: Vec<String>) {
        assert_eq!(cells.len(), self.headings.len(), "a cell for each heading");
        self.rows.push(cells);
    }

    pub fn text(&self) -> String {
        let names = self
            .headings
            .iter()
            .map(|heading| heading.trim_start_matches('>').to_owned())
            .collect::<Vec<_>>();
        let width = |column: usize| {
            let cells = self
                .rows
                .iter()
                .chain([&names])
                .map(|row| row[column].chars().count());
            cells.max().unwrap_or(0)
        };
        let widths = (0..names.len()).map(width).collect::<Vec<_>>();
        let line = |row: &Vec<String>| {
            let cells =
                row.iter()
                    .zip(&self.headings)
                    .zip(&widths)
                    .map(|((cell, heading), width)| {
                        if heading.starts_with('>') {
                            format!("{cell:>width$}")
                        } else {
                            format!("{cell:<width$}")
                        }
                    });
            format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
        };
        [&names].into_iter().chain(&self.rows).map(line).collect()
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
            table.text(),
            "CLIENT      ROUTES  STATE\nAS1-1            7  Idle\nZürich-1  12345678  Established\n"
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
