//! Which proxy a URL goes through, by the same rules as curl's.

use std::net::IpAddr;

use ureq::{Proxy, ProxyProtocol};
use url::{Host, Url};

use crate::env::Env;
use crate::error::{Error, Result};
use crate::profile::check::is_loopback;

/// The port of a proxy that names none, as curl has it.
const USUAL_PORT: u16 = 1080;

/// The proxy for this URL, where the environment names one; this machine needs none.
pub(super) fn choose(url: &Url, env: &Env) -> Result<Option<Proxy>> {
    if is_loopback(url) {
        return Ok(None);
    }
    // `HTTP_PROXY` is left out: in a CGI program it is a header of the request.
    let names: &[&'static str] = match url.scheme() {
        "http" => &["http_proxy", "all_proxy", "ALL_PROXY"],
        _ => &["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"],
    };
    let Some((name, value)) = first(names, env)? else { return Ok(None) };
    let list = first(&["no_proxy", "NO_PROXY"], env)?.map(|(_, list)| list).unwrap_or_default();
    if url.host().is_some_and(|host| is_exempt(&host, &list)) {
        return Ok(None);
    }
    parse(name, value.trim()).map(Some)
}

/// The first of these variables that is set.
fn first(names: &[&'static str], env: &Env) -> Result<Option<(&'static str, String)>> {
    for name in names {
        if let Some(value) = env.text(name)? {
            return Ok(Some((name, value)));
        }
    }
    Ok(None)
}

fn parse(name: &str, value: &str) -> Result<Proxy> {
    // Not the value: it may have a password in it.
    let wrong = || Error::config(format!("{name} in the environment is no URL of a proxy"));
    let proxy = Proxy::new(value).map_err(|_| wrong())?;
    if proxy.uri().port_u16().is_some() {
        return Ok(proxy);
    }
    let authority = proxy.uri().authority().map_or("", |authority| authority.as_str());
    if authority.rsplit('@').next() != Some(proxy.host()) {
        // A port that is no number is passed over by the parser.
        return Err(wrong());
    }
    if proxy.protocol() != ProxyProtocol::Http {
        return Ok(proxy);
    }
    let mut builder = Proxy::builder(ProxyProtocol::Http).host(proxy.host()).port(USUAL_PORT);
    if let Some(username) = proxy.username() {
        builder = builder.username(username);
    }
    if let Some(password) = proxy.password() {
        builder = builder.password(password);
    }
    builder.build().map_err(|_| wrong())
}

/// Whether a list like `NO_PROXY` names the host: by itself, as part of a domain, as an address or
/// in a network.
fn is_exempt(host: &Host<&str>, list: &str) -> bool {
    list.split(|c: char| c == ',' || c.is_whitespace()).filter(|entry| !entry.is_empty()).any(
        |entry| match host {
            _ if entry == "*" => true,
            Host::Domain(name) => is_within(name, entry),
            Host::Ipv4(address) => is_in_network(IpAddr::V4(*address), entry),
            Host::Ipv6(address) => is_in_network(IpAddr::V6(*address), entry),
        },
    )
}

/// Whether the name is the domain or lies in it, label by label.
fn is_within(name: &str, domain: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let domain = domain.strip_suffix('.').unwrap_or(domain);
    let domain = domain.strip_prefix('.').unwrap_or(domain);
    let Some(at) = name.len().checked_sub(domain.len()) else { return false };
    let (front, end) = name.as_bytes().split_at(at);
    !domain.is_empty()
        && end.eq_ignore_ascii_case(domain.as_bytes())
        && front.last().is_none_or(|byte| *byte == b'.')
}

/// Whether the address is the one given, or in the network given as `address/bits`.
fn is_in_network(address: IpAddr, entry: &str) -> bool {
    let (network, bits) = match entry.split_once('/') {
        Some((network, bits)) => match bits.parse::<u32>() {
            Ok(bits) => (network, Some(bits)),
            Err(_) => return false,
        },
        None => (entry, None),
    };
    let network = network.strip_prefix('[').and_then(|n| n.strip_suffix(']')).unwrap_or(network);
    // Both as numbers of the same width, the first bit foremost.
    let (address, network, width) = match (address, network.parse()) {
        (IpAddr::V4(a), Ok(IpAddr::V4(n))) => {
            (u128::from(a.to_bits()) << 96, u128::from(n.to_bits()) << 96, 32)
        }
        (IpAddr::V6(a), Ok(IpAddr::V6(n))) => (a.to_bits(), n.to_bits(), 128),
        _ => return false,
    };
    let bits = bits.unwrap_or(width);
    bits <= width && (address ^ network).leading_zeros() >= bits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(url: &str, variables: &[(&str, &str)]) -> Option<String> {
        let proxy = choose(&Url::parse(url).unwrap(), &Env::of(variables)).unwrap()?;
        Some(format!("{:?} {}:{}", proxy.protocol(), proxy.host(), proxy.port()))
    }

    #[test]
    fn variables_are_read_in_curls_order() {
        let all: Vec<(&str, &str)> = vec![
            ("https_proxy", "http://a:1"),
            ("HTTPS_PROXY", "http://b:2"),
            ("http_proxy", "http://c:3"),
            ("HTTP_PROXY", "http://d:4"),
            ("all_proxy", "http://e:5"),
            ("ALL_PROXY", "http://f:6"),
        ];
        for (url, gone, expected) in [
            ("https://h/", 0, Some("Http a:1")),
            ("https://h/", 1, Some("Http b:2")),
            ("https://h/", 2, Some("Http e:5")),
            ("http://h/", 0, Some("Http c:3")),
            ("http://h/", 3, Some("Http e:5")),
            ("http://h/", 5, Some("Http f:6")),
            ("http://h/", 6, None),
        ] {
            assert_eq!(chosen(url, &all[gone..]).as_deref(), expected, "{url} {gone}");
        }
        let empty_first = [("https_proxy", ""), ("HTTPS_PROXY", " http://b:2 ")];
        assert_eq!(chosen("https://h/", &empty_first).as_deref(), Some("Http b:2"));
        assert_eq!(chosen("http://h/", &[("HTTP_PROXY", "http://d:4")]), None);
    }

    #[test]
    fn this_machine_is_never_reached_by_a_proxy() {
        for url in
            ["http://localhost:1/", "https://localhost/", "http://127.0.0.2/", "http://[::1]/"]
        {
            assert_eq!(chosen(url, &[("ALL_PROXY", "http://p:1")]), None, "{url}");
            assert_eq!(chosen(url, &[("http_proxy", "http://p:1")]), None, "{url}");
        }
    }

    #[test]
    fn no_proxy_means_what_it_means_to_curl() {
        let exempt = |url: &str, list: &str| {
            chosen(url, &[("HTTPS_PROXY", "http://p:1"), ("NO_PROXY", list)]).is_none()
        };
        for (url, list) in [
            ("https://example.com/", "example.com"),
            ("https://api.example.com/", "example.com"),
            ("https://example.com/", ".example.com"),
            ("https://api.example.com/", " other.org , .EXAMPLE.com. "),
            ("https://example.com./", "example.com"),
            ("https://example.com/", "a.org b.org example.com"),
            ("https://example.com/", "*"),
            ("https://example.com/", "a.org,*"),
            ("https://192.0.2.7/", "192.0.2.7"),
            ("https://192.0.2.7/", "192.0.2.0/24"),
            ("https://192.0.2.7/", "0.0.0.0/0"),
            ("https://[2001:db8::7]/", "2001:db8::/32"),
            ("https://[2001:db8::7]/", "[2001:db8::7]"),
        ] {
            assert!(exempt(url, list), "{url} should be in {list:?}");
        }
        for (url, list) in [
            ("https://nonexample.com/", "example.com"),
            ("https://example.com.evil.org/", "example.com"),
            ("https://example.com/", "api.example.com"),
            ("https://example.com/", ""),
            ("https://example.com/", ". ,, .."),
            ("https://192.0.2.7/", "192.0.3.0/24"),
            ("https://192.0.2.7/", "192.0.2.0/33"),
            ("https://192.0.2.7/", "192.0.2.0/x"),
            ("https://192.0.2.7/", "2.7"),
            ("https://192.0.2.7/", "::/0"),
            ("https://[2001:db8::7]/", "0.0.0.0/0"),
        ] {
            assert!(!exempt(url, list), "{url} should not be in {list:?}");
        }
    }

    #[test]
    fn a_proxy_may_leave_out_scheme_and_port_and_have_a_password() {
        let one = |value| chosen("https://h/", &[("https_proxy", value)]);
        assert_eq!(one("proxy.example").as_deref(), Some("Http proxy.example:1080"));
        assert_eq!(one("http://proxy.example:80").as_deref(), Some("Http proxy.example:80"));
        assert_eq!(one("https://proxy.example").as_deref(), Some("Https proxy.example:443"));
        assert_eq!(one("socks5h://p").as_deref(), Some("Socks5h p:1080"));
        let proxy = parse("https_proxy", "http://us%40er:p%3Aw@p").unwrap();
        assert_eq!((proxy.username(), proxy.password()), (Some("us@er"), Some("p:w")));
        assert_eq!(proxy.port(), USUAL_PORT);
    }

    #[test]
    fn a_wrong_proxy_is_named_by_its_variable_alone() {
        for value in [
            "ftp://u:hunter2@p",
            "http://u:hunter2@",
            "http://u:hunter2@p:x",
            "http://u:hunter2@p:65536",
            "%",
        ] {
            let error = parse("https_proxy", value).unwrap_err();
            assert!(matches!(error, Error::Config(_)), "{error}");
            assert!(error.to_string().contains("https_proxy"), "{error}");
            assert!(!format!("{error:?}").contains("hunter2"));
        }
    }
}
