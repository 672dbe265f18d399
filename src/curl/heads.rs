//! Tells from the heads of answers, as curl dumps them, what became of a request.

use super::targets::Target;

/// What the heads of a transfer say so far.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Heads {
    /// The status of the last answer.
    status: Option<u16>,
    /// Whether a redirect led to another origin, where the token didn't go.
    astray: bool,
}

/// What to do with a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It can't be told yet.
    Wait,
    /// Its answer is what the user gets.
    Pass,
    /// The token was refused.
    Refused,
}

/// What about a transfer decides whether an answer is its last.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Manners {
    /// Redirects are followed.
    pub(super) follow: bool,
    /// Failures of the server are tried again.
    pub(super) retry: bool,
    /// A proxy's answer to CONNECT may stand among the heads.
    pub(super) connect: bool,
}

impl Heads {
    /// Reads a dump, whose last line may be cut off.
    pub(super) fn read(dump: &[u8], origin: &Target) -> Self {
        let mut heads = Self::default();
        let mut lines = dump.split(|&byte| byte == b'\n');
        lines.next_back();
        for line in lines {
            if line.starts_with(b"HTTP/") {
                heads.status = status(line);
            } else if matches!(heads.status, Some(300..=399))
                && let Some(location) = location(line)
            {
                heads.astray |= leaves(location, origin);
            }
        }
        heads
    }

    /// Judges by what is known; `body` once more than heads has come, `ended` once nothing more
    /// can come.
    pub(super) fn judge(&self, manners: Manners, body: bool, ended: bool) -> Verdict {
        let last = match self.status {
            None | Some(100..=199) => ended,
            Some(200..=299) => !manners.connect || body || ended,
            Some(300..=399) => !manners.follow || body || ended,
            // Those that curl's `--retry` tries again.
            Some(408 | 429 | 500 | 502 | 503 | 504) => !manners.retry || ended,
            Some(_) => true,
        };
        match self.status {
            Some(401) if !self.astray => Verdict::Refused,
            _ if last => Verdict::Pass,
            _ => Verdict::Wait,
        }
    }
}

fn status(line: &[u8]) -> Option<u16> {
    let code = line.split(|&byte| byte == b' ').nth(1)?;
    std::str::from_utf8(code.trim_ascii()).ok()?.parse().ok()
}

fn location(line: &[u8]) -> Option<&[u8]> {
    let (name, value) = line.split_at(line.iter().position(|&byte| byte == b':')?);
    name.eq_ignore_ascii_case(b"location").then(|| value[1..].trim_ascii())
}

/// Whether a redirect leads away; a relative one without a scheme or host doesn't.
fn leaves(location: &[u8], origin: &Target) -> bool {
    match Target::parse(location) {
        Ok(target) => target != *origin,
        Err(_) => location.contains(&b':') || location.starts_with(b"//"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOLLOW: Manners = Manners { follow: true, retry: false, connect: false };

    fn judge(dump: &str, manners: Manners, body: bool, ended: bool) -> Verdict {
        let origin = Target::parse(b"https://api.bindeo.com/").unwrap();
        Heads::read(dump.as_bytes(), &origin).judge(manners, body, ended)
    }

    #[test]
    fn the_last_status_counts() {
        let plain = Manners::default();
        for (dump, verdict) in [
            ("", Verdict::Wait),
            ("HTTP/1.1 40", Verdict::Wait),
            ("HTTP/1.1 401 Unauthorized\r\n", Verdict::Refused),
            ("HTTP/2 401 \r\n", Verdict::Refused),
            ("HTTP/2 401\r\n", Verdict::Refused),
            ("HTTP/1.1 100 Continue\r\n\r\n", Verdict::Wait),
            ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 401 No\r\n", Verdict::Refused),
            ("HTTP/1.1 200 OK\r\n", Verdict::Pass),
            ("HTTP/1.1 301 Moved\r\n", Verdict::Pass),
            ("HTTP/1.1 503 Busy\r\n", Verdict::Pass),
            ("HTTP/1.1 403 No\r\nX: HTTP/1.1 401\r\n", Verdict::Pass),
            ("HTTP/1.1 ? ?\r\n", Verdict::Wait),
        ] {
            assert_eq!(judge(dump, plain, false, false), verdict, "{dump}");
        }
        assert_eq!(judge("", plain, false, true), Verdict::Pass);
    }

    #[test]
    fn what_another_answer_may_follow_decides_nothing() {
        let moved = "HTTP/1.1 302 Found\r\nLocation: /there\r\n\r\n";
        assert_eq!(judge(moved, FOLLOW, false, false), Verdict::Wait);
        assert_eq!(judge(moved, FOLLOW, true, false), Verdict::Pass);
        let retry = Manners { retry: true, ..Manners::default() };
        assert_eq!(judge("HTTP/1.1 503 Busy\r\n", retry, true, false), Verdict::Wait);
        assert_eq!(judge("HTTP/1.1 503 Busy\r\n", retry, true, true), Verdict::Pass);
        let connect = Manners { connect: true, ..Manners::default() };
        assert_eq!(judge("HTTP/1.1 200 Established\r\n", connect, false, false), Verdict::Wait);
        assert_eq!(judge("HTTP/1.1 200 Established\r\n", connect, true, false), Verdict::Pass);
    }

    #[test]
    fn a_401_behind_a_redirect_counts_at_the_same_origin_alone() {
        for (location, verdict) in [
            ("/there", Verdict::Refused),
            ("there?a", Verdict::Refused),
            ("https://API.bindeo.com:443/there", Verdict::Refused),
            ("http://api.bindeo.com/", Verdict::Pass),
            ("https://api.bindeo.com:8443/", Verdict::Pass),
            ("https://evil.com/", Verdict::Pass),
            ("//evil.com/", Verdict::Pass),
            ("https:\\\\evil.com", Verdict::Pass),
        ] {
            let dump = format!("HTTP/1.1 307 T\r\nlocation: {location}\r\n\r\nHTTP/1.1 401 No\r\n");
            assert_eq!(judge(&dump, FOLLOW, false, false), verdict, "{location}");
        }
        let created = "HTTP/1.1 201 C\r\nLocation: https://evil.com/\r\n\r\nHTTP/1.1 401 No\r\n";
        assert_eq!(judge(created, FOLLOW, false, false), Verdict::Refused);
    }
}
