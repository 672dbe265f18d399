//! The bare token.

use crate::secret::Secret;

/// The token and a newline.
#[must_use]
pub fn line(token: &Secret) -> Secret<Vec<u8>> {
    Secret::new([token.expose().as_bytes(), b"\n"].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_the_token_and_nothing_else() {
        assert_eq!(line(&Secret::from("a.b-c")).expose(), b"a.b-c\n");
    }
}
