//! Checks of names, URLs and hosts; an error says what is expected, as the end of a sentence.

use url::Url;

/// Checks the name of a profile or a preset: a file name on every platform.
pub fn check_name(name: &str) -> Result<(), String> {
    const DEVICES: &[&str] = &["con", "prn", "aux", "nul", "com", "lpt", "conin$", "conout$"];
    let fits =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    let starts_well =
        name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if !starts_well || name.len() > 64 || !name.bytes().all(fits) {
        return Err("must be a name of 1 to 64 of a-z, 0-9, '.', '_' and '-', which begins with a letter or a digit".to_owned());
    }
    // Windows takes these for devices, whatever ending follows.
    let stem = name.split('.').next().unwrap_or(name);
    let numbered = stem.len() == 4 && stem.ends_with(|c: char| c.is_ascii_digit());
    let device = if numbered { &stem[..3] } else { stem };
    if DEVICES.contains(&device) && (numbered == matches!(device, "com" | "lpt")) {
        return Err("is the name of a device on Windows".to_owned());
    }
    Ok(())
}

/// Checks what two parsers of URLs could read differently, or an answer could hide in.
pub(super) fn check_url_text(text: &str) -> Result<(), String> {
    if text.contains(|c: char| c == '\\' || c.is_control() || c.is_whitespace()) {
        return Err("must be a URL without blanks, backslashes or control characters".to_owned());
    }
    if text.contains('#') {
        return Err("must be a URL without a fragment".to_owned());
    }
    Ok(())
}

/// Reads an absolute URL to which a secret may be sent.
pub fn check_url(text: &str) -> Result<Url, String> {
    check_url_text(text)?;
    let url = Url::parse(text)
        .map_err(|_| "must be a URL such as https://example.com/path".to_owned())?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must be a URL without a user name or a password".to_owned());
    }
    if !is_protected(&url) {
        return Err("must be an https URL; plain http is for 127.0.0.1, [::1] and localhost alone"
            .to_owned());
    }
    Ok(url)
}

/// Whether nobody on the way can read what is sent there: https, or http that stays on this machine.
#[must_use]
pub fn is_protected(url: &Url) -> bool {
    match url.scheme() {
        "https" => url.has_host(),
        "http" => is_loopback(url),
        _ => false,
    }
}

/// Whether the host is this machine: 127.0.0.0/8, `::1` or `localhost`.
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

pub(super) fn check_redirect_uri(text: &str) -> Result<(), String> {
    check_url_text(text)?;
    Url::parse(text)
        .map(|_| ())
        .map_err(|_| "must be a URL such as http://127.0.0.1/callback".to_owned())
}

/// The keys whose values stand for `{KEY}` in URLs.
pub const PLACEHOLDERS: &[&str] = &["tenant", "domain", "realm"];

/// Checks what is to stand for a placeholder: no host and no segment of a path can be left by it.
pub(super) fn check_part(text: &str) -> Result<(), String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let is_end = |byte: Option<u8>| byte.is_some_and(|byte| !b".-".contains(&byte));
    let ends_well = is_end(text.bytes().next()) && is_end(text.bytes().last());
    if !ends_well || text.len() > 253 || text.contains("..") || !text.bytes().all(fits) {
        return Err("must be a name or a host, such as example.com: letters, digits, '.', '_' and '-', no '..', and neither '.' nor '-' at its ends".to_owned());
    }
    Ok(())
}

/// Puts a value in the place of each `{NAME}`.
pub(super) fn fill<E>(
    text: &str,
    value_of: impl Fn(&str) -> Result<String, E>,
) -> Result<String, E> {
    let mut whole = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, behind)) = after.split_once('}') else { break };
        whole.push_str(before);
        whole.push_str(&value_of(name)?);
        rest = behind;
    }
    whole.push_str(rest);
    Ok(whole)
}

/// The text with something harmless in the place of each placeholder, so that the rest can be checked.
pub(super) fn filled_with_samples(text: &str) -> Result<String, String> {
    let expected = "may hold {tenant}, {domain} and {realm} in braces";
    let sampled = fill(text, |name| {
        if PLACEHOLDERS.contains(&name) {
            return Ok("x".to_owned());
        }
        Err(format!("{expected}{}", nearest_word(name, PLACEHOLDERS)))
    })?;
    if sampled.contains(['{', '}']) { Err(expected.to_owned()) } else { Ok(sampled) }
}

/// Checks a pattern of hosts: `api.example.com`, `api.example.com:8443`, `*.example.com`, `[::1]:80`.
pub(super) fn check_host_pattern(pattern: &str) -> Result<(), String> {
    let host = pattern.strip_prefix("*.").unwrap_or(pattern);
    let expected = || {
        "must hold hosts such as api.example.com, api.example.com:8443 or *.example.com".to_owned()
    };
    if host.is_empty()
        || host.contains(|c: char| {
            matches!(c, '/' | '@' | '?' | '#' | '*' | '\\' | '{' | '}')
                || c.is_whitespace()
                || c.is_control()
        })
    {
        return Err(expected());
    }
    match Url::parse(&format!("https://{host}/")) {
        Ok(url) if url.path() == "/" && url.has_host() => Ok(()),
        _ => Err(expected()),
    }
}

/// "; did you mean …?", where a word is near enough.
#[must_use]
pub fn nearest_word(word: &str, words: &[&str]) -> String {
    words
        .iter()
        .map(|known| {
            (strsim::jaro_winkler(&word.to_ascii_lowercase(), &known.to_ascii_lowercase()), known)
        })
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map_or_else(String::new, |(_, known)| format!("; did you mean {known}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_file_name_on_every_platform() {
        for good in ["a", "0", "bindeo", "a.b_c-d", "console", "com", "com1x", &"a".repeat(64)] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            ".a",
            "-a",
            "A",
            "a/b",
            "a b",
            "ä",
            "con",
            "nul.x",
            "com1",
            "lpt9.toml",
            "aux",
            &"a".repeat(65),
        ] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn plain_http_is_for_this_machine_alone() {
        for good in [
            "https://a.example/x",
            "http://127.0.0.1:9/x",
            "http://127.1.2.3",
            "http://[::1]/",
            "http://localhost:80/x",
        ] {
            assert!(check_url(good).is_ok(), "{good}");
        }
        for bad in [
            "http://a.example/x",
            "http://localhost.example/",
            "http://128.0.0.1/",
            "ftp://127.0.0.1/",
            "https://u@a.example/",
            "https://a.example\\@b.example/",
            "https://a.example/#f",
            "https://",
            "mailto:a@b",
            "x",
            "",
            "https://a b/",
            "http://0.0.0.0/",
        ] {
            assert!(check_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_stands_for_a_placeholder_leaves_neither_host_nor_segment() {
        for good in [
            "common",
            "a",
            "8eaef023-2b34-4da1-9baa-8bc8c9d6a490",
            "dev-1.okta.com",
            "My_Realm",
            "_",
        ] {
            assert_eq!(check_part(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "evil.com/",
            "a/b",
            "a@b",
            "..",
            "a..b",
            ".",
            "a.",
            ".a",
            "-a",
            "a-",
            "%2f",
            "a b",
            " a",
            "a\n",
            "a\0b",
            "ä",
            "a。b",
            "a#b",
            "a?b",
            "a:80",
            "a\\b",
            "{realm}",
            "[::1]",
            "a,b",
            "a;b",
            "a&b",
            "a=b",
            "a+b",
            "a*b",
            "a'b",
            "a\"b",
            "https://a",
            &"a".repeat(254),
        ] {
            assert!(check_part(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn braces_hold_placeholders_and_nothing_else() {
        assert_eq!(filled_with_samples("https://{domain}/{realm}/a").unwrap(), "https://x/x/a");
        let near = filled_with_samples("https://{domian}/").unwrap_err();
        assert!(near.ends_with("did you mean domain?"), "{near}");
        for bad in
            ["{", "}", "{}", "{domain", "domain}", "{{domain}}", "{a}", "{domain }", "{DOMAIN}"]
        {
            assert!(filled_with_samples(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_near_word_is_named() {
        assert_eq!(nearest_word("PSOT", &["POST", "GET"]), "; did you mean POST?");
        assert_eq!(nearest_word("zzz", &["POST", "GET"]), "");
    }
}
