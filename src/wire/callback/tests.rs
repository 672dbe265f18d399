use super::*;

const REDIRECT_URI: &str = "http://127.0.0.1:49152/callback";

fn with<T>(redirect_uri: &str, work: impl FnOnce(&Expected) -> T) -> T {
    let redirect_uri = Url::parse(redirect_uri).unwrap();
    let state = Secret::from("af0ifjsldkj+/=");
    work(&Expected {
        redirect_uri: &redirect_uri,
        state: &state,
        issuer: None,
        requires_iss: false,
    })
}

fn request(bytes: &[u8]) -> Verdict {
    with(REDIRECT_URI, |expected| expected.request(bytes))
}

fn get(target: &str) -> Verdict {
    request(format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1:49152\r\n\r\n").as_bytes())
}

/// The verdict on a query that has the right state besides.
fn query(query: &str) -> Verdict {
    get(&format!("/callback?{query}&state=af0ifjsldkj%2B%2F%3D"))
}

fn code(code: &str) -> Verdict {
    Verdict::Answer(Callback::Code(Secret::from(code)))
}

#[track_caller]
fn ignored(verdict: &Verdict, status: u16, words: &str) {
    match verdict {
        Verdict::Ignore(refusal) if refusal.status == status && refusal.reason.contains(words) => {}
        other => panic!("not {status} with {words}: {other:?}"),
    }
}

#[test]
fn a_code_with_the_right_state_is_the_answer() {
    assert_eq!(query("code=SplxlOBeZQQYbYS6WxSbIA"), code("SplxlOBeZQQYbYS6WxSbIA"));
    assert_eq!(query("code=a%2Bb+c%20d%7e"), code("a+b c d~"));
    assert_eq!(query("session_state=x&scope=a&scope=b&code=x"), code("x"));
    assert_eq!(query("error=&code=x&error&code="), code("x"));
    let long = "x".repeat(4096);
    assert_eq!(query(&format!("code={long}")), code(&long));
}

#[test]
fn an_error_with_the_right_state_is_the_answer_and_fit_to_be_shown() {
    let Verdict::Answer(Callback::Error(error)) = query(
        "error=access_denied&error_description=caduc%F3+%1B%5B2J+af0ifjsldkj%2B%2F%3D&error_uri=https://as/e",
    ) else {
        panic!("no error")
    };
    assert_eq!(
        error.to_string(),
        "the server refused: access_denied: caduc\u{fffd} \\u{1b}[2J [redacted] (see https://as/e)"
    );
}

#[test]
fn an_answer_without_the_logins_own_state_is_none() {
    for state in ["", "?", "?code=x", "?code=x&state", "?code=x&state=", "?code=x&State=y"] {
        ignored(&get(&format!("/callback{state}")), 400, "no state");
    }
    for state in ["af0ifjsldkj%2B%2F", "AF0ifjsldkj%2B%2F%3D", "af0ifjsldkj+/=", "x"] {
        for answer in ["code=x", "error=access_denied"] {
            ignored(&get(&format!("/callback?{answer}&state={state}")), 400, "not that of this");
        }
    }
}

#[test]
fn an_answer_says_one_thing_once() {
    ignored(&query("code=x&error=access_denied"), 400, "both");
    ignored(&query("token=x"), 400, "neither");
    ignored(&query("error_description=x"), 400, "neither");
    for twice in ["code=x&code=x", "c%6Fde=x&code=y", "error=x&error=x", "code=x&state=x"] {
        ignored(&query(twice), 400, "twice");
    }
}

#[test]
fn what_is_not_encoded_well_is_no_answer() {
    for bad in ["code=%", "code=x%4", "code=%zz", "code=%00", "x=%&code=x", "iss=%FF&code=x"] {
        ignored(&query(bad), 400, "encoded");
    }
    ignored(&query("code=%FF"), 400, "encoded");
    ignored(&query("code=%0D%0A"), 400, "characters");
    ignored(&query("code=%C3%A9"), 400, "characters");
}

#[test]
fn the_issuer_is_the_one_that_is_known() {
    let judged = |issuer, requires_iss, iss: &str| {
        with(REDIRECT_URI, |expected| {
            let expected = Expected { issuer, requires_iss, ..*expected };
            expected
                .answer(format!("code=x&state=af0ifjsldkj%2B%2F%3D{iss}").as_bytes())
                .map_err(|reason| reason.split(' ').next_back().unwrap())
        })
    };
    let x = Ok(Callback::Code(Secret::from("x")));
    assert_eq!(judged(None, false, ""), x);
    assert_eq!(judged(None, false, "&iss=https://any"), x);
    assert_eq!(judged(Some("https://as"), false, ""), x);
    for requires in [false, true] {
        assert_eq!(judged(Some("https://as"), requires, "&iss=https%3A%2F%2Fas"), x);
        for other in ["https://as/", "https://AS", "https://evil"] {
            assert_eq!(
                judged(Some("https://as"), requires, &format!("&iss={other}")),
                Err("issuer")
            );
        }
    }
    assert_eq!(judged(Some("https://as"), true, ""), Err("issuer"));
    assert_eq!(judged(Some("https://as"), true, "&iss="), Err("issuer"));
    assert_eq!(judged(None, true, ""), Err("issuer"));
}

#[test]
fn an_error_ends_the_login_also_where_it_leaves_out_the_issuer_but_not_where_it_names_another() {
    with(REDIRECT_URI, |expected| {
        let expected = Expected { issuer: Some("https://as"), requires_iss: true, ..*expected };
        let judged =
            |query: &str| expected.answer(format!("{query}&state=af0ifjsldkj%2B%2F%3D").as_bytes());
        assert!(matches!(judged("error=access_denied"), Ok(Callback::Error(_))));
        judged("error=access_denied&iss=https://evil").unwrap_err();
        judged("error=access_denied&code=x").unwrap_err();
    });
}

#[test]
fn what_else_a_browser_asks_for_is_not_there() {
    for target in
        ["/", "/favicon.ico", "/callback/", "//callback", "/Callback?code=x", "/c%61llback"]
    {
        ignored(&get(target), 404, "nothing");
    }
    for method in ["POST", "HEAD", "OPTIONS", "get"] {
        let head = format!("{method} /callback HTTP/1.1\r\nHost: 127.0.0.1:49152\r\n\r\ncode=x");
        ignored(&request(head.as_bytes()), 405, "GET");
    }
}

#[test]
fn a_request_for_another_host_is_refused() {
    let to = |redirect_uri: &str, host: &str| {
        let head =
            format!("GET /callback?code=x&state=af0ifjsldkj%2B%2F%3D HTTP/1.1\r\n{host}\r\n\r\n");
        with(redirect_uri, |expected| expected.request(head.as_bytes()))
    };
    for (redirect_uri, host) in [
        (REDIRECT_URI, "Host: 127.0.0.1:49152"),
        (REDIRECT_URI, "A: \u{e9}\r\nhost:\t127.0.0.1:49152 "),
        ("http://localhost:1/callback", "Host: LOCALHOST:1"),
        ("http://[::1]:1/callback?x=1", "Host: [::1]:1"),
        ("http://127.0.0.1/callback", "Host: 127.0.0.1"),
    ] {
        assert_eq!(to(redirect_uri, host), code("x"), "{host}");
    }
    for host in [
        "evil.example:49152",
        "127.0.0.1",
        "127.0.0.1:1",
        "localhost:49152",
        "",
        "127.0.0.1:49152@x",
    ] {
        ignored(&to(REDIRECT_URI, &format!("Host: {host}")), 400, "another host");
    }
    ignored(&to(REDIRECT_URI, "X: y"), 400, "exactly one Host");
    ignored(
        &to(REDIRECT_URI, "Host: 127.0.0.1:49152\r\nHost: 127.0.0.1:49152"),
        400,
        "exactly one Host",
    );
}

#[test]
fn what_is_no_request_is_refused_as_soon_as_that_is_clear() {
    for bytes in
        [&b"\x16\x03\x01\x02\x00"[..], b"\r\n", b"\0", b"GET\r\n", b"(", b"\xff", &[b'A'; 33]]
    {
        ignored(&request(bytes), 400, "no request");
    }
    ignored(&request(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505, "HTTP/1.1");
}

#[test]
fn a_malformed_head_is_refused() {
    for line in [
        "GET  /callback HTTP/1.1",
        " /callback HTTP/1.1",
        "GET /callback",
        "GET /callback HTTP/1.1 x",
        "GET /callback http/1.1",
        "GET /callback?code=x#x HTTP/1.1",
        "GET /callback?code=\u{e9} HTTP/1.1",
        "GET /callback?code=\0 HTTP/1.1",
        "GET callback HTTP/1.1",
        "GET http://127.0.0.1:49152/callback HTTP/1.1",
        "CONNECT 127.0.0.1:49152 HTTP/1.1",
        "OPTIONS * HTTP/1.1",
    ] {
        let head = format!("{line}\r\nHost: 127.0.0.1:49152\r\n\r\n");
        ignored(&request(head.as_bytes()), 400, "request line");
    }
    for line in ["Host", ": x", "A : x", "A: x\r\n folded", "A: \0", "A: x\ry", "\u{e9}: x"] {
        let head = format!("GET /callback HTTP/1.1\r\nHost: 127.0.0.1:49152\r\n{line}\r\n\r\n");
        ignored(&request(head.as_bytes()), 400, "header");
    }
    let bare = b"GET /callback HTTP/1.1\nHost: 127.0.0.1:49152\r\n\r\n";
    ignored(&request(bare), 400, "CRLF");
}

#[test]
fn a_request_is_waited_for_until_it_is_too_long() {
    let whole = b"GET /callback?code=x&state=af0ifjsldkj%2B%2F%3D HTTP/1.1\r\nHost: 127.0.0.1:49152\r\n\r\n";
    for end in 0..whole.len() {
        assert_eq!(request(&whole[..end]), Verdict::NeedMore, "{end}");
    }
    assert_eq!(request(&[&whole[..], b"GET / "].concat()), code("x"));
    let long = |len: usize| {
        let cookie = "c".repeat(len - whole.len() - "Cookie: \r\n".len());
        let start = String::from_utf8_lossy(&whole[..whole.len() - 2]);
        format!("{start}Cookie: {cookie}\r\n\r\n").into_bytes()
    };
    assert_eq!(request(&long(LONGEST)), code("x"));
    assert_eq!(request(&long(LONGEST)[..LONGEST - 1]), Verdict::NeedMore);
    ignored(&request(&long(LONGEST + 1)), 431, "too long");
    ignored(&request(&long(LONGEST + 1)[..LONGEST]), 431, "too long");
}

fn pasted(redirect_uri: &str, text: &str) -> Result<Callback, String> {
    with(redirect_uri, |expected| expected.pasted(text)).map_err(|error| error.to_string())
}

#[test]
fn a_pasted_url_is_judged_as_its_request_would_be() {
    let url = "http://127.0.0.1:49152/callback?code=x+y&state=af0ifjsldkj%2B%2F%3D";
    let expected = Ok(Callback::Code(Secret::from("x y")));
    for text in [
        url.to_owned(),
        format!(" \t{url}\r\n"),
        format!("\"{url}\""),
        format!("' {url} '"),
        format!("<{url}>\n"),
        format!("{url}#_=_"),
        format!("HTTP{}", &url[4..]),
    ] {
        assert_eq!(pasted(REDIRECT_URI, &text), expected, "{text}");
    }
    for (text, words) in [
        ("", "no whole URL"),
        ("x", "no whole URL"),
        ("127.0.0.1:49152/callback?code=x", "no whole URL"),
        ("http://127.0.0.1:49152/callback?co de=x", "blanks"),
        ("http://127.0.0.1:49152/callback?co\nde=x", "blanks"),
        ("https://127.0.0.1:49152/callback?code=x", "redirect URI"),
        ("http://127.0.0.1:49153/callback?code=x", "redirect URI"),
        ("http://x@127.0.0.1:49152/callback?code=x", "redirect URI"),
        ("http://evil.example/callback?code=x", "redirect URI"),
        ("http://127.0.0.1:49152/callback", "no state"),
        ("http://127.0.0.1:49152/callback#code=x&state=af0ifjsldkj%2B%2F%3D", "no state"),
        ("http://127.0.0.1:49152/callback?code=x&state=y", "not that of this"),
        (&format!("{url}&code=z"), "twice"),
        (&format!("{url}{}", "z".repeat(LONGEST)), "too long"),
    ] {
        let error = pasted(REDIRECT_URI, text).unwrap_err();
        assert!(error.contains(words), "{text:.80}: {error}");
    }
    assert_eq!(
        pasted("com.example.app:/cb", "com.example.app:/cb?code=x&state=af0ifjsldkj%2B%2F%3D"),
        Ok(Callback::Code(Secret::from("x")))
    );
}

#[test]
fn where_the_code_is_shown_to_a_person_it_is_pasted_alone() {
    for uri in OUT_OF_BAND {
        assert_eq!(
            pasted(uri, " 4/P7q7W91a-%oMsCe\n"),
            Ok(Callback::Code("4/P7q7W91a-%oMsCe".into()))
        );
        for text in ["", "two words", "é"] {
            assert_eq!(pasted(uri, text), Err("what was pasted is no code".to_owned()));
        }
    }
}
