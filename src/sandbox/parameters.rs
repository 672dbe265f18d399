//! The parameters of a token request, taken from the one place where the document puts them.

use std::fmt;

use percent_encoding::percent_decode_str;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::http::Head;
use super::provider::{Dialect, Place};
use super::refusal::Refusal;
use crate::secret::Secret;

/// The names that RFC 6749 gives to what a token request carries here.
pub(super) const RESERVED: [&str; 7] =
    ["grant_type", "client_id", "client_secret", "username", "password", "refresh_token", "scope"];

/// What a token request says, name by name; no name stands twice.
pub(super) struct Parameters(Vec<(String, Secret)>);

impl Parameters {
    /// Reads them from where they belong; in any other place they are refused.
    pub(super) fn read(dialect: &Dialect, head: &Head, body: &[u8]) -> Result<Self, Refusal> {
        let (_, query) = head.path_and_query();
        let method = dialect.place.method();
        if head.method != method {
            let what = format!("the method {}, not {method}", head.method);
            return Err(misplaced(dialect, &what).status(405).header("Allow", method));
        }
        let pairs = if dialect.place == Place::Query {
            if !body.is_empty() {
                return Err(misplaced(dialect, "a body"));
            }
            form(query.unwrap_or_default())
        } else {
            if query.is_some() {
                return Err(misplaced(dialect, "a query string"));
            }
            expect_media_type(dialect, head)?;
            let text = std::str::from_utf8(body)
                .map_err(|_| Refusal::invalid_request("the body is not UTF-8"))?;
            if dialect.place == Place::Json { json(text) } else { form(text) }
        }
        .map_err(Refusal::invalid_request)?;
        Self::without_duplicates(pairs)
    }

    fn without_duplicates(pairs: Vec<(String, Secret)>) -> Result<Self, Refusal> {
        for (position, (name, _)) in pairs.iter().enumerate() {
            if pairs[..position].iter().any(|(earlier, _)| earlier == name) {
                // A name that isn't the RFC's own could be anything: it isn't repeated.
                let known = RESERVED.into_iter().find(|known| known == name);
                let known = known.unwrap_or("of another name");
                return Err(Refusal::invalid_request(format!(
                    "the parameter {known} stands there twice (RFC 6749 section 3.2)"
                )));
            }
        }
        Ok(Self(pairs))
    }

    /// Whether it is there, even without a value.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| key == name)
    }

    /// Its value; one without a value counts as left out (RFC 6749 section 3.2).
    pub(super) fn get(&self, name: &str) -> Option<&Secret> {
        let (_, value) = self.0.iter().find(|(key, _)| key == name)?;
        (!value.expose().is_empty()).then_some(value)
    }
}

fn misplaced(dialect: &Dialect, what: &str) -> Refusal {
    let (name, place) = (dialect.name, dialect.place.phrase());
    Refusal::invalid_request(format!(
        "{name} takes its parameters {place}; this request has {what}"
    ))
}

fn expect_media_type(dialect: &Dialect, head: &Head) -> Result<(), Refusal> {
    let mut values = head.values("content-type");
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(misplaced(dialect, "no Content-Type, or more than one"));
    };
    let (media_type, parameter) = value.split_once(';').unwrap_or((value, "charset=utf-8"));
    let found = match media_type.trim().to_ascii_lowercase().as_str() {
        "application/x-www-form-urlencoded" => Some(Place::Form),
        "application/json" => Some(Place::Json),
        _ => None,
    };
    if found != Some(dialect.place) {
        return Err(misplaced(
            dialect,
            match found {
                Some(Place::Form) => "a form",
                Some(_) => "a JSON body",
                None => "another Content-Type",
            },
        ));
    }
    if parameter.trim().eq_ignore_ascii_case("charset=utf-8") {
        Ok(())
    } else {
        Err(misplaced(dialect, "a Content-Type with an unknown parameter"))
    }
}

type Pairs = Result<Vec<(String, Secret)>, &'static str>;

/// Decodes `application/x-www-form-urlencoded` without forgiving anything.
fn form(text: &str) -> Pairs {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').ok_or("a parameter has no equals sign")?;
        Ok((form_decode(name)?.expose().clone(), form_decode(value)?))
    };
    if text.is_empty() { Ok(Vec::new()) } else { text.split('&').map(pair).collect() }
}

/// Decodes one name or value of a form.
pub(super) fn form_decode(text: &str) -> Result<Secret, &'static str> {
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("a parameter has a blank, a control or a character beyond ASCII unencoded");
    }
    let is_escape = |rest: &str| {
        rest.get(..2).is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    if !text.split('%').skip(1).all(is_escape) {
        return Err("a parameter has a percent sign without two hexadecimal digits after it");
    }
    let blanks = Secret::new(text.replace('+', " "));
    let decoded = percent_decode_str(blanks.expose()).decode_utf8();
    decoded
        .map(|text| Secret::new(text.into_owned()))
        .map_err(|_| "a parameter is not UTF-8 once it is decoded")
}

/// Reads a JSON object whose reserved members are strings.
fn json(text: &str) -> Pairs {
    let mut reader = serde_json::Deserializer::from_str(text);
    let pairs = reader
        .deserialize_map(Members)
        .and_then(|pairs| reader.end().map(|()| pairs))
        .map_err(|_| "the body is not a JSON object")?;
    if pairs.iter().any(|(name, value)| value.is_none() && RESERVED.contains(&name.as_str())) {
        return Err("a parameter is not a JSON string");
    }
    Ok(pairs.into_iter().map(|(name, value)| (name, value.unwrap_or_default())).collect())
}

/// Collects the members of an object, the repeated ones too; what is no string has no value.
struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(String, Option<Secret>)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some((name, value)) = map.next_entry::<String, serde_json::Value>()? {
            pairs.push((name, value.as_str().map(Secret::from)));
        }
        Ok(pairs)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::raw_client::{FORM, JSON, request, send};
    use super::super::{Options, Sandbox};
    use super::*;

    fn show(pairs: Pairs) -> Result<String, &'static str> {
        let show = |(name, value): (String, Secret)| format!("{name}={}", value.expose());
        pairs.map(|pairs| pairs.into_iter().map(show).collect::<Vec<_>>().join(","))
    }

    #[test]
    fn a_form_is_decoded() {
        assert_eq!(show(form("")), Ok(String::new()));
        assert_eq!(show(form("a=1&b=")), Ok("a=1,b=".into()));
        assert_eq!(show(form("a=x+y%2Bz%C3%A9=&%61=~")), Ok("a=x y+z\u{e9}=,a=~".into()));
    }

    #[test]
    fn a_malformed_form_is_refused() {
        for text in ["a", "a=1&", "&a=1", "a=b c", "a=\u{e9}", "a=%", "a=%1", "a=%zz", "a=%ff"] {
            assert!(form(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_json_object_is_read() {
        let text = r#" {"password": "a\/\u00e9", "audience": ["x"], "audience": "y"} "#;
        assert_eq!(show(json(text)), Ok("password=a/\u{e9},audience=,audience=y".into()));
    }

    #[test]
    fn malformed_json_is_refused() {
        let deep = "[".repeat(100_000);
        for text in ["", "[]", "\"x\"", "{", "{} {}", "{'a':1}", r#"{"password":1}"#, &deep] {
            assert!(json(text).is_err(), "{text:.20}");
        }
    }

    #[test]
    fn parameters_in_a_wrong_place_or_twice_are_refused() {
        let sandbox = Sandbox::start(Options::default()).expect("a sandbox");
        let machine = "grant_type=client_credentials";
        let unknown = "Content-Type: application/x-www-form-urlencoded; boundary=x";
        let ask = |line: &str, headers: &[&str], body: &str, expected: &str| {
            send(&sandbox, request(line, headers, body)).assert_refused(expected);
        };
        let form = |headers: &[&str], body: &str, expected: &str| {
            ask("POST /standard/token", headers, body, expected);
        };
        let json = |body: &str, expected: &str| {
            ask("POST /bindeo/access_token", &[JSON], body, expected);
        };
        form(&[], machine, "400 invalid_request this request has no Content-Type");
        form(&[FORM, FORM], machine, "400 invalid_request more than one");
        form(&["Content-Type: text/plain"], machine, "400 invalid_request another Content-Type");
        form(&[unknown], machine, "400 invalid_request an unknown parameter");
        form(&[FORM], "hunter2", "400 invalid_request a parameter has no equals sign");
        form(
            &[FORM],
            "a=b&a=b",
            "400 invalid_request the parameter of another name stands there twice",
        );
        form(
            &[FORM],
            "scope=&scope=",
            "400 invalid_request the parameter scope stands there twice",
        );
        form(&[FORM], &format!("a={}", "x".repeat(65_535)), "413 invalid_request 64 KiB");
        json("[]", "400 invalid_request the body is not a JSON object");
        json(r#"{"scope":1}"#, "400 invalid_request a parameter is not a JSON string");
        json(
            r#"{"scope":"","scope":""}"#,
            "400 invalid_request the parameter scope stands there twice",
        );

        let query = "400 invalid_request this request has a query string";
        ask("POST /standard/token?a=b", &[FORM], machine, query);
        ask("POST /bindeo/access_token?", &[JSON], "{}", query);
        ask("GET /musement/api/v3/login?a=b", &[], "a", "400 invalid_request a body");
        ask(
            "PUT /standard/token",
            &[FORM],
            machine,
            "405 invalid_request the method PUT, not POST",
        );
    }

    proptest! {
        #[test]
        fn no_form_and_no_json_makes_it_panic(text in ".*", part in "[a%+=&0-9{}:\",]*") {
            for text in [&text, &part] {
                let _ = (form(text), json(text));
            }
        }
    }
}
