//! Tables for people: columns as wide as their widest cell, two blanks between, no lines. Widths
//! count terminal columns, so that Korean names line up.

use std::fmt;

/// Rows under a heading.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these column names.
    pub(crate) fn new(heading: &[&str]) -> Self {
        Self {
            rows: vec![heading.iter().map(|name| (*name).to_owned()).collect()],
        }
    }

    /// One more row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells = cells
            .into_iter()
            .map(|cell| crate::output::printable(&cell));
        self.rows.push(cells.collect());
    }

    /// Whether there is only the heading.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.len() <= 1
    }
}

/// Name and value, one pair a line, the values in one column.
pub(crate) fn pairs(pairs: &[(&str, String)]) -> String {
    let widest = pairs
        .iter()
        .map(|(name, _)| columns(name))
        .max()
        .unwrap_or(0);
    pairs
        .iter()
        .map(|(name, value)| {
            let blanks = " ".repeat(widest.saturating_sub(columns(name)) + 2);
            let value = crate::output::printable(value);
            format!("{name}{blanks}{value}\n")
        })
        .collect()
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |place: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(place));
            cells.map(|cell| columns(cell)).max().unwrap_or(0)
        };
        for row in &self.rows {
            let mut line = String::new();
            for (place, cell) in row.iter().enumerate() {
                line.push_str(cell);
                let blanks = width(place).saturating_sub(columns(cell)) + 2;
                line.push_str(&" ".repeat(blanks));
            }
            writeln!(formatter, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// How many terminal columns a text takes: two for the wide characters of East Asia (the blocks of
/// Unicode TR11 that occur in names: Hangul, kana, CJK, full-width forms).
fn columns(text: &str) -> usize {
    text.chars()
        .map(|character| match u32::from(character) {
            0x1100..=0x115f
            | 0x2e80..=0xa4cf
            | 0xac00..=0xd7a3
            | 0xf900..=0xfaff
            | 0xff00..=0xff60 => 2,
            _ => 1,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(&["NAME", "AMOUNT"]);
        assert!(table.is_empty());
        table.row(["호스팅".to_owned(), "1".to_owned()]);
        table.row(["a\u{7}".to_owned(), "1000".to_owned()]);
        assert_eq!(
            table.to_string(),
            "NAME    AMOUNT\n호스팅  1\na?      1000\n"
        );
        assert!(!table.is_empty());
    }

    #[test]
    fn pairs_line_up() {
        let text = pairs(&[("signer", "s".to_owned()), ("policy epoch", "1".to_owned())]);
        assert_eq!(text, "signer        s\npolicy epoch  1\n");
    }
}
