//! Rows and columns for a terminal, and the same as Markdown.

use unicode_width::UnicodeWidthStr;

use vocab::foreign_text::printable_line;

use crate::markdown;

const GAP: usize = 2;
/// The last column gets at least this much, even if the terminal then wraps lines itself.
const NARROWEST: usize = 16;

/// Cells are one line each; in the last column long ones are wrapped to the width of the terminal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
    /// Indexes of the columns of numbers.
    right: Vec<usize>,
}

impl Table {
    /// Sets the number of columns. Without rows, the header alone is printed.
    pub fn new<H: Into<String>>(header: impl IntoIterator<Item = H>) -> Self {
        Self { header: header.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// Aligns a column, counted from 0, at its right edge.
    #[must_use]
    pub fn right(mut self, column: usize) -> Self {
        self.right.push(column);
        self
    }

    /// Missing cells are empty, surplus ones are dropped.
    pub fn row<C: Into<String>>(&mut self, cells: impl IntoIterator<Item = C>) -> &mut Self {
        let mut row: Vec<String> = cells.into_iter().map(|cell| printable_line(&cell.into())).collect();
        row.resize(self.header.len(), String::new());
        self.rows.push(row);
        self
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Every line ends with a line break and has no trailing spaces. `width` is in columns.
    pub fn render(&self, width: Option<usize>) -> String {
        let widths = self.widths();
        let before_last: usize = widths.iter().rev().skip(1).map(|column| column + GAP).sum();
        let last = width.map_or(usize::MAX, |width| width.saturating_sub(before_last).max(NARROWEST));
        let mut text = String::new();
        for row in std::iter::once(&self.header).chain(&self.rows) {
            let Some((last_cell, cells)) = row.split_last() else { continue };
            let mut line = String::new();
            for (column, cell) in cells.iter().enumerate() {
                line.push_str(&self.padded(column, cell, widths[column]));
                line.push_str(&" ".repeat(GAP));
            }
            let pieces = wrapped(last_cell, last);
            for (index, piece) in pieces.iter().enumerate() {
                let start = if index == 0 { line.clone() } else { " ".repeat(before_last) };
                let column = row.len() - 1;
                let piece = if pieces.len() == 1 {
                    self.padded(column, piece, widths[column].min(last))
                } else {
                    piece.clone()
                };
                text.push_str((start + &piece).trim_end());
                text.push('\n');
            }
        }
        text
    }

    /// A table as GitHub renders it. Cells are escaped as in [`markdown::text`](crate::markdown::text).
    pub fn markdown(&self) -> String {
        let line = |cells: &[String]| {
            let cells: Vec<String> = cells.iter().map(|cell| markdown::text(cell)).collect();
            format!("| {} |\n", cells.join(" | "))
        };
        let rule: Vec<&str> =
            (0..self.header.len()).map(|column| if self.right.contains(&column) { "---:" } else { "---" }).collect();
        let mut text = line(&self.header) + &format!("| {} |\n", rule.join(" | "));
        for row in &self.rows {
            text.push_str(&line(row));
        }
        text
    }

    fn widths(&self) -> Vec<usize> {
        let mut widths = vec![0; self.header.len()];
        for row in std::iter::once(&self.header).chain(&self.rows) {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.width());
            }
        }
        widths
    }

    fn padded(&self, column: usize, cell: &str, width: usize) -> String {
        let space = " ".repeat(width.saturating_sub(cell.width()));
        if self.right.contains(&column) { space + cell } else { cell.to_owned() + &space }
    }
}

/// Breaks at spaces; a word that is too long by itself stays whole, so that it can be copied. Never empty.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let line = lines.last_mut().expect("it starts with one line and only grows");
        if line.is_empty() {
            line.push_str(word);
        } else if line.width() + 1 + word.width() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(["package", "size", "reason"]).right(1);
        table.row(["numpy", "16.5 MB", ""]).row(["数値-π", "1 B", "a wheel fits | really"]).row([
            "parasail",
            "",
            "no wheel is published for this platform and its source is allowed",
        ]);
        table
    }

    #[test]
    fn columns_are_aligned_by_what_the_eye_sees() {
        insta::assert_snapshot!(table().render(None), @r"
        package      size  reason
        numpy     16.5 MB
        数値-π        1 B  a wheel fits | really
        parasail           no wheel is published for this platform and its source is allowed
        ");
    }

    #[test]
    fn the_last_column_is_wrapped_to_the_terminal() {
        let text = table().render(Some(48));
        insta::assert_snapshot!(text, @r"
        package      size  reason
        numpy     16.5 MB
        数値-π        1 B  a wheel fits | really
        parasail           no wheel is published for
                           this platform and its source
                           is allowed
        ");
        assert!(text.lines().all(|line| line.width() <= 48));
    }

    #[test]
    fn markdown_escapes_what_would_break_the_table() {
        insta::assert_snapshot!(table().markdown(), @r"
        | package | size | reason |
        | --- | ---: | --- |
        | numpy | 16.5 MB |  |
        | 数値-π | 1 B | a wheel fits \| really |
        | parasail |  | no wheel is published for this platform and its source is allowed |
        ");
    }
}
