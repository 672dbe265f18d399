//! The header line that carries a token (RFC 6750 section 2.1).

use crate::secret::Secret;

/// `Authorization: Bearer TOKEN` and a newline.
#[must_use]
pub fn line(token: &Secret) -> Secret<Vec<u8>> {
    Secret::new([b"Authorization: Bearer ", token.expose().as_bytes(), b"\n"].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_ready_for_curl() {
        assert_eq!(line(&Secret::from("a.b-c")).expose(), b"Authorization: Bearer a.b-c\n");
    }
}
