//! Words for a person to copy into a shell.

use std::borrow::Cow;

/// The command that moves a file.
pub(super) const MOVE: &str = if cfg!(windows) { "move" } else { "mv" };

/// A word as a shell takes it: quoted where it must be.
pub(super) fn word(text: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_alphanumeric() || "_-./:@%+,=~\\".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) && !(cfg!(unix) && text.contains('\\')) {
        Cow::Borrowed(text)
    } else if cfg!(windows) {
        Cow::Owned(format!("\"{text}\""))
    } else {
        Cow::Owned(format!("'{}'", text.replace('\'', r"'\''")))
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_quoted_where_a_shell_would_part_or_change_it() {
        assert_eq!(word("/home/a/.local/x@user~broken-1"), "/home/a/.local/x@user~broken-1");
        for (text, quoted) in [("", "''"), ("a b", "'a b'"), ("$x", "'$x'"), ("it's", r"'it'\''s'")]
        {
            assert_eq!(word(text), quoted);
        }
    }
}
