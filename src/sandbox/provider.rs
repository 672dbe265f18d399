//! The providers, and what each one's document demands and promises.

use Grant::{ClientCredentials, Password, RefreshToken};
use Member::{AccessToken, ExpiresIn, Scope, TokenType};
use serde_json::Value;

use super::http::Answer;

/// A provider for which the sandbox stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Provider {
    /// Parameters in a JSON body.
    Bindeo,
    /// Parameters in the query string of a GET.
    Musement,
    /// A form, and the client's credentials as they are in HTTP Basic.
    Kabbage,
    /// A form with everything in it, and a `scope` even where it is empty.
    Barapi,
    /// RFC 6749, to the letter.
    Standard,
}

/// A grant that the sandbox carries out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Grant {
    /// A machine's own.
    ClientCredentials,
    /// A person's username and password.
    Password,
    /// The renewal of a token.
    RefreshToken,
}

impl Grant {
    const ALL: [Self; 3] = [ClientCredentials, Password, RefreshToken];

    /// Its `grant_type`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            ClientCredentials => "client_credentials",
            Password => "password",
            RefreshToken => "refresh_token",
        }
    }

    pub(super) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|grant| grant.as_str() == word)
    }

    /// The parameters it can't do without.
    pub(super) const fn parameters(self) -> &'static [&'static str] {
        match self {
            ClientCredentials => &[],
            Password => &["username", "password"],
            RefreshToken => &["refresh_token"],
        }
    }
}

impl Provider {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Bindeo, Self::Musement, Self::Kabbage, Self::Barapi, Self::Standard];

    /// Its name, which is also the first segment of its paths.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.dialect().name
    }

    /// The provider of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|provider| provider.name() == name)
    }

    /// What it grants.
    #[must_use]
    pub const fn grants(self) -> &'static [Grant] {
        self.dialect().grants
    }

    pub(super) const fn dialect(self) -> &'static Dialect {
        match self {
            Self::Bindeo => &BINDEO,
            Self::Musement => &MUSEMENT,
            Self::Kabbage => &KABBAGE,
            Self::Barapi => &BARAPI,
            Self::Standard => &STANDARD,
        }
    }
}

/// What a document demands of a token request and promises of the answer.
pub(super) struct Dialect {
    pub name: &'static str,
    /// Where the token endpoint is, and a resource to try a token on, below the prefix.
    pub token_path: &'static str,
    pub resource_path: &'static str,
    pub place: Place,
    /// Whether the client may prove itself by HTTP Basic, and how id and secret are encoded there.
    pub basic: Option<BasicEncoding>,
    pub grants: &'static [Grant],
    pub scope: ScopeRule,
    /// Whether a refresh token comes with a machine's token too.
    pub refreshes_clients: bool,
    pub access_token: Shape,
    pub refresh_token: Shape,
    /// Seconds that an access token lives.
    pub expires_in: u64,
    pub token_type: &'static str,
    /// The scope that every answer names, where it isn't the one that was asked for.
    pub fixed_scope: Option<&'static str>,
    /// The members of an answer, in order.
    pub members: &'static [Member],
    pub content_type: &'static str,
    /// Whether `/` is escaped in JSON.
    pub escapes_slash: bool,
    /// Whether a `STATUS` header repeats the status.
    pub repeats_status: bool,
}

/// Where the parameters stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Form,
    Json,
    Query,
}

impl Place {
    pub(super) const fn method(self) -> &'static str {
        match self {
            Self::Query => "GET",
            Self::Form | Self::Json => "POST",
        }
    }

    pub(super) const fn phrase(self) -> &'static str {
        match self {
            Self::Form => "as a form in the body",
            Self::Json => "as a JSON body",
            Self::Query => "in the query string",
        }
    }
}

/// How id and secret stand in HTTP Basic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BasicEncoding {
    /// Form-encoded (RFC 6749 section 2.3.1).
    Form,
    /// As they are (RFC 2617 section 2).
    Raw,
}

/// When `scope` stands in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ScopeRule {
    /// Where there is one: RFC 6749's grammar has no empty scope.
    Optional,
    /// With the password grant always, even empty; never on refresh.
    WithPassword,
}

/// A member of a token answer.
#[derive(Debug, Clone, Copy)]
pub(super) enum Member {
    AccessToken,
    TokenType,
    ExpiresIn,
    RefreshToken,
    Scope,
}

/// What a token looks like.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// A signed JWT; nobody knows the key, so its signature is made of random bytes.
    Jwt,
    /// So many random bytes in base64.
    Base64(usize),
    /// The same in the alphabet that is safe in URLs.
    Base64Url(usize),
    /// 32 random bytes in hexadecimal, and these digits in base64 without padding.
    HexInBase64,
    /// Lower-case letters and digits in groups of these lengths, with dots between.
    Dotted(&'static [usize]),
}

impl Dialect {
    /// An answer in this provider's own manner: a JSON object of members whose values are JSON.
    pub(super) fn answer(&self, status: u16, members: &[(&str, Value)]) -> Answer {
        let lines: Vec<_> =
            members.iter().map(|(name, value)| format!("    \"{name}\": {value}")).collect();
        let mut text = format!("{{\n{}\n}}\n", lines.join(",\n"));
        if self.escapes_slash {
            text = text.replace('/', r"\/");
        }
        let mut answer = Answer::new(status);
        if self.repeats_status {
            let line = format!("{status} {}", answer.reason());
            answer = answer.header("STATUS", line);
        }
        answer.body = text.into_bytes().into();
        // RFC 6749 section 5.1.
        answer
            .header("Content-Type", self.content_type)
            .header("Cache-Control", "no-store")
            .header("Pragma", "no-cache")
    }
}

const STANDARD: Dialect = Dialect {
    name: "standard",
    token_path: "/token",
    resource_path: "/whoami",
    place: Place::Form,
    basic: Some(BasicEncoding::Form),
    grants: &Grant::ALL,
    scope: ScopeRule::Optional,
    refreshes_clients: false,
    access_token: Shape::Base64Url(32),
    refresh_token: Shape::Base64Url(32),
    expires_in: 3600,
    token_type: "Bearer",
    fixed_scope: None,
    members: &[AccessToken, TokenType, ExpiresIn, Member::RefreshToken, Scope],
    content_type: "application/json",
    escapes_slash: false,
    repeats_status: false,
};

const BINDEO: Dialect = Dialect {
    name: "bindeo",
    token_path: "/access_token",
    place: Place::Json,
    basic: None,
    access_token: Shape::Jwt,
    refresh_token: Shape::Base64(384),
    members: &[TokenType, ExpiresIn, AccessToken, Member::RefreshToken],
    escapes_slash: true,
    ..STANDARD
};

const MUSEMENT: Dialect = Dialect {
    name: "musement",
    token_path: "/api/v3/login",
    resource_path: "/api/v3/cities",
    place: Place::Query,
    basic: None,
    refreshes_clients: true,
    access_token: Shape::HexInBase64,
    refresh_token: Shape::HexInBase64,
    token_type: "bearer",
    fixed_scope: Some("user, password"),
    members: &[AccessToken, ExpiresIn, TokenType, Scope, Member::RefreshToken],
    ..STANDARD
};

const KABBAGE: Dialect = Dialect {
    name: "kabbage",
    token_path: "/auth/token",
    basic: Some(BasicEncoding::Raw),
    expires_in: 86_399,
    token_type: "bearer",
    members: &[AccessToken, Member::RefreshToken, TokenType, ExpiresIn],
    content_type: "application/json;charset=UTF-8",
    ..STANDARD
};

const BARAPI: Dialect = Dialect {
    name: "barapi",
    token_path: "/oauth/token",
    basic: None,
    grants: &[Password, RefreshToken],
    scope: ScopeRule::WithPassword,
    access_token: Shape::Dotted(&[20, 32, 18]),
    refresh_token: Shape::Dotted(&[17, 13, 16, 19]),
    expires_in: 31_622_400,
    members: &[TokenType, ExpiresIn, AccessToken, Member::RefreshToken],
    repeats_status: true,
    ..STANDARD
};

#[cfg(test)]
mod tests {
    use super::super::raw_client::{BY_CLIENT, log_in, refresh, send, token_request};
    use super::super::{Options, Sandbox};
    use super::*;

    #[test]
    fn each_answer_has_the_members_of_its_document_in_their_order() {
        use Provider::{Barapi, Bindeo, Kabbage, Musement, Standard};
        let sandbox = Sandbox::start(Options::default()).expect("a sandbox");
        for (provider, members, fixed) in [
            (
                Bindeo,
                "token_type expires_in access_token refresh_token",
                r#""token_type": "Bearer","expires_in": 3600"#,
            ),
            (
                Musement,
                "access_token expires_in token_type scope refresh_token",
                r#""expires_in": 3600,"token_type": "bearer","scope": "user, password""#,
            ),
            (
                Kabbage,
                "access_token refresh_token token_type expires_in",
                r#""token_type": "bearer","expires_in": 86399"#,
            ),
            (
                Barapi,
                "token_type expires_in access_token refresh_token",
                r#""token_type": "Bearer","expires_in": 31622400"#,
            ),
            (
                Standard,
                "access_token token_type expires_in refresh_token",
                r#""token_type": "Bearer","expires_in": 3600"#,
            ),
        ] {
            let logged_in = log_in(&sandbox, provider);
            let renewed = refresh(&sandbox, provider, &logged_in.member("refresh_token"));
            for reply in [logged_in, renewed] {
                let names = reply.text().lines().filter_map(|line| line.split('"').nth(1));
                assert_eq!(names.collect::<Vec<_>>().join(" "), members);
                let text = reply.text().replace("\n    ", "");
                assert!(text.contains(fixed), "{}: {text}", provider.name());
                assert_eq!(reply.header("cache-control"), Some("no-store"));
                assert!(reply.header("date").is_some());
            }
        }
    }

    #[test]
    fn only_musement_gives_a_machine_a_refresh_token() {
        let sandbox = Sandbox::start(Options::default()).expect("a sandbox");
        for provider in Provider::ALL {
            let reply = send(&sandbox, token_request(provider, BY_CLIENT));
            let expected = if provider == Provider::Barapi { 400 } else { 200 };
            assert_eq!(reply.status, expected, "{}", reply.text());
            let has = !reply.member("refresh_token").is_empty();
            assert_eq!(has, provider == Provider::Musement);
        }
    }

    #[test]
    fn headers_are_those_of_the_samples() {
        let sandbox = Sandbox::start(Options::default()).expect("a sandbox");
        let kabbage = log_in(&sandbox, Provider::Kabbage);
        assert_eq!(kabbage.header("content-type"), Some("application/json;charset=UTF-8"));
        assert_eq!(kabbage.header("status"), None);
        let barapi = log_in(&sandbox, Provider::Barapi);
        assert_eq!(barapi.header("content-type"), Some("application/json"));
        assert_eq!(barapi.header("status"), Some("200 OK"));
    }

    #[test]
    fn bindeo_escapes_the_slash() {
        let text = |provider: Provider| {
            let answer = provider.dialect().answer(200, &[("a", "b/c".into())]);
            String::from_utf8_lossy(answer.body.expose()).into_owned()
        };
        assert_eq!(text(Provider::Bindeo), "{\n    \"a\": \"b\\/c\"\n}\n");
        assert_eq!(text(Provider::Barapi), "{\n    \"a\": \"b/c\"\n}\n");
    }
}
