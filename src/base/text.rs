//! Text for a terminal.

/// What a terminal shows side by side.
const WIDTH: usize = 80;

/// `value` beside `name`, broken at spaces and continued under itself. `column` is where it begins.
pub fn row(name: &str, value: &str, column: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in value.split(' ') {
        match lines.last_mut() {
            Some(line) if column + line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    let mut text = String::new();
    for (index, line) in lines.iter().enumerate() {
        let name = if index == 0 { name } else { "" };
        text += format!("{name:<column$}{line}\n").as_str();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_goes_on_under_its_value() {
        assert_eq!(row("name", "value", 6), "name  value\n");
        let long = format!("{} {} {}", "a".repeat(40), "b".repeat(33), "c".repeat(90));
        let lines = row("name", &long, 6);
        let lines = lines.lines().collect::<Vec<_>>();
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert_eq!(lines[0].len(), 80);
        assert!(lines[1].starts_with("      ccc"), "a word is never broken");
    }
}
