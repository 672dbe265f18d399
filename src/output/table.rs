//! Small tables: aligned for a person at a terminal, tab-separated for a pipe.

use comfy_table::{ColumnConstraint, ContentArrangement, Width, presets};

use crate::escape::escape;

/// What the table is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// The columns of the terminal; none where the output goes elsewhere.
    pub width: Option<u16>,
    /// Whether words may be coloured.
    pub color: bool,
}

/// How a cell's word is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Good,
    /// Soon to need attention.
    Warning,
    /// In need of attention.
    Bad,
}

/// A value in a table.
#[derive(Debug, Clone, Default)]
pub struct Cell {
    text: String,
    exact: Option<String>,
    tone: Option<Tone>,
}

impl Cell {
    /// Text from anywhere; control characters are escaped.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self { text: escape(text).into_owned(), ..Self::default() }
    }

    /// Another form of the value, for programs: it takes the text's place in a pipe.
    #[must_use]
    pub fn exact(self, text: &str) -> Self {
        Self { exact: Some(escape(text).into_owned()), ..self }
    }

    /// Coloured for what it means.
    #[must_use]
    pub fn tone(self, tone: Tone) -> Self {
        Self { tone: Some(tone), ..self }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

/// Rows of cells under a header.
#[derive(Debug, Clone)]
pub struct Table<const N: usize> {
    header: [&'static str; N],
    rows: Vec<[Cell; N]>,
}

impl<const N: usize> Table<N> {
    /// A table without rows.
    #[must_use]
    pub const fn new(header: [&'static str; N]) -> Self {
        Self { header, rows: Vec::new() }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: [Cell; N]) {
        self.rows.push(cells);
    }

    /// The table as text, every line ended; empty where there are no rows.
    ///
    /// A terminal gets a header and columns that wrap; anything else gets one line a row, its exact
    /// values between tabs and no header, for `cut` and `awk`.
    #[must_use]
    pub fn render(&self, layout: Layout) -> String {
        if self.rows.is_empty() {
            return String::new();
        }
        let text = match layout.width {
            Some(width) => self.aligned(width),
            None => self.separated(),
        };
        paint(&text, layout.color)
    }

    fn separated(&self) -> String {
        let mut text = String::new();
        for row in &self.rows {
            let cells = row.each_ref().map(|cell| {
                mark(cell.exact.as_ref().unwrap_or(&cell.text), cell.tone.map(Tone::mark))
            });
            text.push_str(&cells.join("\t"));
            text.push('\n');
        }
        text
    }

    fn aligned(&self, width: u16) -> String {
        let mut table = comfy_table::Table::new();
        table
            .load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(width)
            .set_header(self.header.map(|name| mark(name, Some(HEADER))))
            .add_rows(
                self.rows.iter().map(|row| {
                    row.each_ref().map(|cell| mark(&cell.text, cell.tone.map(Tone::mark)))
                }),
            );
        for (column, least) in table.column_iter_mut().zip(self.unbroken()) {
            column.set_padding((0, 2)).set_constraint(ColumnConstraint::LowerBoundary(least));
        }
        table.trim_fmt() + "\n"
    }

    /// The width below which a column's name or a coloured word would be broken.
    fn unbroken(&self) -> impl Iterator<Item = Width> {
        self.header.iter().enumerate().map(|(index, name)| {
            let words = self.rows.iter().map(|row| &row[index]).filter(|cell| cell.tone.is_some());
            let longest = words.map(|cell| cell.text.len()).fold(name.len(), usize::max);
            Width::Fixed(u16::try_from(longest + 2).unwrap_or(u16::MAX))
        })
    }
}

/// Marks where colours begin and end, until the columns are laid out: characters without a width,
/// which [`escape`] lets through from nowhere else.
const HEADER: char = '\u{2061}';
const GOOD: char = '\u{2062}';
const WARNING: char = '\u{2063}';
const BAD: char = '\u{2064}';
const END: char = '\u{206a}';

impl Tone {
    const fn mark(self) -> char {
        match self {
            Self::Good => GOOD,
            Self::Warning => WARNING,
            Self::Bad => BAD,
        }
    }
}

fn mark(text: &str, mark: Option<char>) -> String {
    match mark {
        Some(mark) => format!("{mark}{text}{END}"),
        None => text.to_owned(),
    }
}

/// Puts colours where the marks are, or takes the marks away.
fn paint(text: &str, color: bool) -> String {
    let mut painted = String::with_capacity(text.len());
    for c in text.chars() {
        let sequence = match c {
            HEADER => "\u{1b}[1m",
            GOOD => "\u{1b}[32m",
            WARNING => "\u{1b}[33m",
            BAD => "\u{1b}[31m",
            END => "\u{1b}[0m",
            _ => {
                painted.push(c);
                continue;
            }
        };
        if color {
            painted.push_str(sequence);
        }
    }
    painted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table<4> {
        let mut table = Table::new(["PROFILE", "STATUS", "EXPIRES", "SCOPE"]);
        table.row([
            "bindeo".into(),
            Cell::new("valid").tone(Tone::Good),
            Cell::new("in 58 min").exact("2026-01-01T00:58:00Z"),
            "read write".into(),
        ]);
        table.row([
            "kabbage".into(),
            Cell::new("none").tone(Tone::Warning),
            Cell::default(),
            Cell::default(),
        ]);
        table
    }

    const TERMINAL: Layout = Layout { width: Some(80), color: false };

    #[test]
    fn a_terminal_gets_aligned_columns_under_a_header() {
        assert_eq!(
            table().render(TERMINAL),
            "PROFILE  STATUS  EXPIRES    SCOPE\n\
             bindeo   valid   in 58 min  read write\n\
             kabbage  none\n"
        );
    }

    #[test]
    fn a_pipe_gets_exact_values_between_tabs_and_no_header() {
        assert_eq!(
            table().render(Layout { width: None, color: false }),
            "bindeo\tvalid\t2026-01-01T00:58:00Z\tread write\nkabbage\tnone\t\t\n"
        );
    }

    #[test]
    fn colours_move_no_column() {
        let text = table().render(Layout { color: true, ..TERMINAL });
        assert!(text.contains("\u{1b}[32mvalid\u{1b}[0m   in 58 min"), "{text:?}");
        let bare = ["\u{1b}[1m", "\u{1b}[32m", "\u{1b}[33m", "\u{1b}[0m"]
            .iter()
            .fold(text, |text, sequence| text.replace(sequence, ""));
        assert_eq!(
            bare.lines().map(str::trim_end).collect::<Vec<_>>(),
            table().render(TERMINAL).lines().collect::<Vec<_>>()
        );
    }

    #[test]
    fn long_values_wrap_within_the_terminal_and_never_within_a_pipe() {
        let mut table = Table::new(["PROFILE", "SCOPE"]);
        table.row(["bindeo".into(), Cell::new(&"scope ".repeat(40))]);
        let text = table.render(Layout { width: Some(40), color: false });
        assert!(text.lines().count() > 6 && text.lines().all(|line| line.len() <= 40), "{text}");
        assert_eq!(table.render(Layout { width: None, color: false }).lines().count(), 1);
    }

    #[test]
    fn a_terminal_too_narrow_breaks_no_coloured_word() {
        let text = table().render(Layout { width: Some(5), color: true });
        assert!(text.contains("\u{1b}[32mvalid\u{1b}[0m"), "{text:?}");
        assert!(text.contains("\u{1b}[1mPROFILE\u{1b}[0m"), "{text:?}");
    }

    #[test]
    fn values_can_neither_steer_the_terminal_nor_break_the_table() {
        let mut table = Table::new(["A", "B"]);
        table.row(["a\tb\nc".into(), "\u{1b}[31m\u{2064}red".into()]);
        assert_eq!(
            table.render(Layout { width: None, color: true }),
            "a\\tb\\nc\t\\u{1b}[31m\\u{2064}red\n"
        );
    }

    #[test]
    fn a_table_without_rows_is_empty() {
        assert_eq!(Table::new(["A"]).render(TERMINAL), "");
    }
}
