//! Takes a token out of a stream.

use crate::secret::Secret;

/// So much of a token's beginning is enough to know it by: curl cuts long lines of `-v`, and what
/// is left of a token there must not pass either.
const TELLING: usize = 16;

/// What stands where a token stood.
const MARK: &[u8] = b"[redacted]";

/// Replaces a token in a stream, wherever the stream is cut into pieces.
pub(super) struct Redactor {
    token: Secret<Vec<u8>>,
    /// For each length of a matched beginning, the longest shorter one that it ends with (Knuth,
    /// Morris and Pratt), so that nothing is held back but what may become the token.
    shorter: Vec<usize>,
    matched: usize,
}

impl Redactor {
    pub(super) fn new(token: &Secret) -> Self {
        let token = token.expose().as_bytes().to_vec();
        let mut shorter = vec![0, 0];
        for end in 1..token.len().min(TELLING) {
            let mut length = shorter[end];
            while length > 0 && token[length] != token[end] {
                length = shorter[length];
            }
            shorter.push(length + usize::from(token[length] == token[end]));
        }
        Self { token: Secret::new(token), shorter, matched: 0 }
    }

    /// Takes a piece of the stream, and appends to `out` what may pass.
    pub(super) fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        for &byte in piece {
            self.step(byte, out);
        }
    }

    /// Appends to `out` what was held back, at the end of the stream.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        self.release(0, out);
    }

    fn step(&mut self, byte: u8, out: &mut Vec<u8>) {
        loop {
            if self.token.expose().get(self.matched) == Some(&byte) {
                self.matched += 1;
                return;
            }
            if self.matched == 0 {
                out.push(byte);
                return;
            }
            let kept = if self.is_telling() { 0 } else { self.shorter[self.matched] };
            self.release(kept, out);
        }
    }

    /// Lets go of what is matched, but for its last `kept` bytes.
    fn release(&mut self, kept: usize, out: &mut Vec<u8>) {
        if self.is_telling() {
            out.extend_from_slice(MARK);
        } else {
            out.extend_from_slice(&self.token.expose()[..self.matched - kept]);
        }
        self.matched = kept;
    }

    fn is_telling(&self) -> bool {
        self.matched > 0 && self.matched >= self.token.expose().len().min(TELLING)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(token: &str, pieces: &[&[u8]]) -> String {
        let mut redactor = Redactor::new(&Secret::from(token));
        let mut out = Vec::new();
        for piece in pieces {
            redactor.push(piece, &mut out);
        }
        redactor.finish(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn a_token_is_taken_out_wherever_it_stands() {
        let text = b"> Authorization: Bearer tok3n\r\n< X-Echo: tok3n,tok3n";
        let clean = "> Authorization: Bearer [redacted]\r\n< X-Echo: [redacted],[redacted]";
        assert_eq!(redacted("tok3n", &[text]), clean);
        for cut in 0..text.len() {
            assert_eq!(redacted("tok3n", &[&text[..cut], &text[cut..]]), clean, "{cut}");
        }
    }

    #[test]
    fn a_beginning_of_a_long_token_is_taken_out() {
        let token = "abcdefghijklmnopqrstuvwxyz0123456789";
        assert_eq!(redacted(token, &[b"[auth: abcdefghijklmnopqrst...]"]), "[auth: [redacted]...]");
        assert_eq!(redacted(token, &[b"abcdefghijklmno."]), "abcdefghijklmno.");
    }

    #[test]
    fn a_token_that_overlaps_itself_is_found() {
        assert_eq!(redacted("aab", &[b"aaab aab ab"]), "a[redacted] [redacted] ab");
        assert_eq!(redacted("abab", &[b"abaabab"]), "aba[redacted]");
        assert_eq!(redacted("tok", &[b"to"]), "to");
        assert_eq!(redacted("", &[b"text"]), "text");
    }

    proptest::proptest! {
        #[test]
        fn it_leaves_no_token_and_nothing_else_out(
            token in "[ab]{1,6}", text in "[abc]{0,40}", cut in 0usize..40,
        ) {
            let cut = cut.min(text.len());
            let out = redacted(&token, &[&text.as_bytes()[..cut], &text.as_bytes()[cut..]]);
            proptest::prop_assert_eq!(out, text.replace(&token, "[redacted]"));
        }
    }
}
