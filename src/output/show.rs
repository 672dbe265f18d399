//! A cached token as `show`, `login` and `refresh` tell of it: an object for programs, a row for people.

use serde::Serialize;

use super::humane;
use super::json::{Exposed, rfc3339};
use super::summary::{Claims, Summary};
use super::table::{Cell, Table, Tone};
use crate::terms::{GrantType, Identity, StoreKind};
use crate::token::{Life, MinTtl, TokenSet, UnixTime};

/// Where a token belongs.
#[derive(Debug, Clone, Copy)]
pub struct Owner<'a> {
    /// The profile's name.
    pub profile: &'a str,
    /// The preset that the profile inherits from.
    pub provider: Option<&'a str>,
    /// Whose token it is.
    pub identity: Identity,
    /// Where it is kept.
    pub store: StoreKind,
}

/// How a token stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It has the life that is wanted.
    Valid,
    /// It lives, but for less than that.
    Expiring,
    /// Its life is over.
    Expired,
    /// Nobody knows when it ends.
    Unknown,
    /// There is no token.
    None,
}

impl Status {
    fn of(life: Life, now: UnixTime, min_ttl: MinTtl) -> Self {
        match life.expires_in(now) {
            None => Self::Unknown,
            Some(0) => Self::Expired,
            Some(_) if life.is_fresh(now, min_ttl) => Self::Valid,
            Some(_) => Self::Expiring,
        }
    }

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Expiring => "expiring",
            Self::Expired => "expired",
            Self::Unknown => "unknown",
            Self::None => "none",
        }
    }

    fn cell(self) -> Cell {
        let cell = Cell::new(self.as_str());
        match self {
            Self::Valid => cell.tone(Tone::Good),
            Self::Expiring => cell.tone(Tone::Warning),
            Self::Expired => cell.tone(Tone::Bad),
            Self::Unknown | Self::None => cell,
        }
    }
}

/// A token, or the lack of one; its members and their order are part of the program's promise.
#[derive(Debug, Serialize)]
pub struct Shown<'a> {
    pub(super) profile: &'a str,
    pub(super) provider: Option<&'a str>,
    pub(super) identity: Option<Identity>,
    pub(super) status: Status,
    pub(super) grant_type: Option<GrantType>,
    pub(super) token_type: Option<&'a str>,
    pub(super) scope: Option<&'a [String]>,
    pub(super) obtained_at: Option<String>,
    pub(super) expires_at: Option<String>,
    pub(super) expires_in: Option<i64>,
    pub(super) has_refresh_token: Option<bool>,
    pub(super) subject: Option<&'a str>,
    pub(super) store: Option<StoreKind>,
    #[serde(flatten)]
    pub(super) revealed: Option<Revealed<'a>>,
    #[serde(flatten)]
    pub(super) decoded: Option<Decoded>,
    #[serde(skip)]
    pub(super) ends: String,
}

/// The secrets, for `--reveal`.
#[derive(Debug, Default, Serialize)]
#[expect(clippy::struct_field_names, reason = "the names are the RFC's")]
pub(super) struct Revealed<'a> {
    pub(super) access_token: Option<Exposed<'a>>,
    pub(super) refresh_token: Option<Exposed<'a>>,
    pub(super) id_token: Option<Exposed<'a>>,
}

/// What the JWTs say, for `--claims`.
#[derive(Debug, Serialize)]
pub(super) struct Decoded {
    pub(super) claims: Option<Claims>,
    pub(super) id_token_claims: Option<Claims>,
    /// Whether the ID token was verified; none where there is no ID token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id_token_verified: Option<bool>,
}

impl<'a> Shown<'a> {
    /// A profile without a token.
    #[must_use]
    pub const fn none(profile: &'a str) -> Self {
        Self {
            profile,
            provider: None,
            identity: None,
            status: Status::None,
            grant_type: None,
            token_type: None,
            scope: None,
            obtained_at: None,
            expires_at: None,
            expires_in: None,
            has_refresh_token: None,
            subject: None,
            store: None,
            revealed: None,
            decoded: None,
            ends: String::new(),
        }
    }

    /// A token as it stands at `now`, for somebody who wants `min_ttl` of it.
    #[must_use]
    pub fn token(owner: Owner<'a>, summary: &'a Summary, now: UnixTime, min_ttl: MinTtl) -> Self {
        let life = summary.life;
        Self {
            provider: owner.provider,
            identity: Some(owner.identity),
            status: Status::of(life, now, min_ttl),
            grant_type: Some(summary.grant_type),
            token_type: Some(summary.token_type.as_deref().unwrap_or("Bearer")),
            scope: Some(&summary.scope),
            obtained_at: rfc3339(life.obtained_at),
            expires_at: life.expires_at.and_then(rfc3339),
            expires_in: life.expires_in(now),
            has_refresh_token: Some(summary.has_refresh_token),
            subject: summary.subject.as_deref(),
            store: Some(owner.store),
            ends: humane::end(life, now),
            ..Self::none(owner.profile)
        }
    }

    /// With the secrets of `tokens`, where there are any; without tokens their members are null.
    #[must_use]
    pub fn reveal(self, tokens: Option<&'a TokenSet>) -> Self {
        let revealed = tokens.map_or_else(Revealed::default, |tokens| Revealed {
            access_token: Some(Exposed(&tokens.access_token)),
            refresh_token: tokens.refresh_token.as_ref().map(Exposed),
            id_token: tokens.id_token.as_ref().map(Exposed),
        });
        Self { revealed: Some(revealed), ..self }
    }

    /// With the claims of the access token and of the ID token, where they are JWTs.
    #[must_use]
    pub fn decode(
        self,
        claims: Option<Claims>,
        id_token_claims: Option<Claims>,
        id_token_verified: Option<bool>,
    ) -> Self {
        Self { decoded: Some(Decoded { claims, id_token_claims, id_token_verified }), ..self }
    }
}

/// Tokens as a table: what a person wants to know at a glance.
#[must_use]
pub fn table(tokens: &[Shown<'_>]) -> Table<7> {
    let mut table =
        Table::new(["PROFILE", "IDENTITY", "STATUS", "EXPIRES", "SUBJECT", "SCOPE", "STORE"]);
    for token in tokens {
        table.row([
            token.profile.into(),
            token.identity.map_or("", Identity::as_str).into(),
            token.status.cell(),
            Cell::new(&token.ends).exact(token.expires_at.as_deref().unwrap_or_default()),
            token.subject.unwrap_or_default().into(),
            Cell::new(&token.scope.unwrap_or_default().join(" ")),
            token.store.map_or("", StoreKind::as_str).into(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::super::table::Layout;
    use super::super::{details, json as document};
    use super::*;
    use crate::secret::Secret;
    use crate::token::Asked;

    const NOW: UnixTime = 1_767_225_700;

    fn tokens() -> TokenSet {
        TokenSet {
            access_token: Secret::from("acc3ss"),
            token_type: Some("Bearer".to_owned()),
            refresh_token: Some(Secret::from("r3fresh")),
            id_token: None,
            id_token_verified: false,
            scope: vec!["read".to_owned(), "write".to_owned()],
            obtained_at: NOW - 100,
            expires_at: Some(NOW + 3_500),
            grant_type: GrantType::Password,
            extra: Map::new(),
            asked: Asked { username: Some("alice".to_owned()), ..Asked::default() },
        }
    }

    fn owner() -> Owner<'static> {
        Owner {
            profile: "bindeo",
            provider: Some("bindeo"),
            identity: Identity::User,
            store: StoreKind::File,
        }
    }

    fn json_of(shown: &Shown<'_>) -> String {
        String::from_utf8(document::document(shown).expose().clone()).unwrap()
    }

    fn members(shown: &Shown<'_>) -> Vec<String> {
        let text = json_of(shown);
        let members = text.lines().filter_map(|line| line.strip_prefix("  \""));
        members.filter_map(|line| Some(line.split_once('"')?.0.to_owned())).collect()
    }

    const MEMBERS: [&str; 13] = [
        "profile",
        "provider",
        "identity",
        "status",
        "grant_type",
        "token_type",
        "scope",
        "obtained_at",
        "expires_at",
        "expires_in",
        "has_refresh_token",
        "subject",
        "store",
    ];

    #[test]
    fn the_object_has_the_promised_members_in_their_order() {
        let (tokens, none) = (tokens(), Shown::none("bindeo"));
        let summary = Summary::new(&tokens, None, None);
        let shown = Shown::token(owner(), &summary, NOW, MinTtl::Default);
        assert_eq!(members(&shown), MEMBERS);
        assert_eq!(members(&none), MEMBERS);
        let revealed = shown.reveal(Some(&tokens)).decode(None, None, None);
        let with = ["access_token", "refresh_token", "id_token", "claims", "id_token_claims"];
        assert_eq!(members(&revealed), [&MEMBERS[..], &with].concat());
        assert_eq!(members(&none.reveal(None)), [&MEMBERS[..], &with[..3]].concat());
    }

    #[test]
    fn the_object_tells_of_the_token_and_of_no_secret() {
        let summary = Summary::new(&tokens(), None, None);
        let shown = Shown::token(owner(), &summary, NOW, MinTtl::Default);
        let value: Value = serde_json::from_str(&json_of(&shown)).unwrap();
        let expected = json!({
            "profile": "bindeo", "provider": "bindeo", "identity": "user", "status": "valid",
            "grant_type": "password", "token_type": "Bearer", "scope": ["read", "write"],
            "obtained_at": "2026-01-01T00:00:00Z", "expires_at": "2026-01-01T01:00:00Z",
            "expires_in": 3500, "has_refresh_token": true, "subject": "alice", "store": "file",
        });
        assert_eq!(value, expected);
    }

    #[test]
    fn a_profile_without_a_token_is_none_and_null_elsewhere() {
        let value: Value = serde_json::from_str(&json_of(&Shown::none("bindeo"))).unwrap();
        for (name, value) in value.as_object().unwrap() {
            match name.as_str() {
                "profile" => assert_eq!(value, "bindeo"),
                "status" => assert_eq!(value, "none"),
                _ => assert!(value.is_null(), "{name}: {value}"),
            }
        }
    }

    #[test]
    fn secrets_and_claims_are_shown_when_asked_for() {
        let tokens = tokens();
        let summary = Summary::new(&tokens, None, None);
        let claims: Claims = serde_json::from_value(json!({"sub": "a\u{1b}b", "n": 1})).unwrap();
        let shown = Shown::token(owner(), &summary, NOW, MinTtl::Default)
            .reveal(Some(&tokens))
            .decode(Some(claims), None, None);
        let value: Value = serde_json::from_str(&json_of(&shown)).unwrap();
        assert_eq!(value["access_token"], "acc3ss");
        assert_eq!(value["refresh_token"], "r3fresh");
        assert_eq!(value["id_token"], Value::Null);
        assert_eq!(value["claims"], json!({"sub": "a\u{1b}b", "n": 1}));
        assert_eq!(value["id_token_claims"], Value::Null);
        assert!(!format!("{shown:?}").contains("acc3ss"));

        let lines = details::lines(&[shown, Shown::none("kabbage")]);
        let lines = String::from_utf8(lines.expose().clone()).unwrap();
        assert!(lines.contains("\nexpires_at: 2026-01-01T01:00:00Z (in 58 min)\n"), "{lines}");
        assert!(lines.contains("\naccess_token: acc3ss\nrefresh_token: r3fresh\n"), "{lines}");
        assert!(lines.contains("\nclaims.n: 1\nclaims.sub: a\\u{1b}b\n"), "{lines}");
        assert!(lines.ends_with("\n\nprofile: kabbage\nstatus: none\n"), "{lines}");
    }

    #[test]
    fn the_status_follows_the_life_that_is_left() {
        let life = |expires_at| Life { obtained_at: NOW, expires_at };
        for (expires_at, min_ttl, status) in [
            (Some(NOW + 3_600), MinTtl::Default, Status::Valid),
            (Some(NOW + 3_600), MinTtl::Explicit(3_600), Status::Valid),
            (Some(NOW + 3_600), MinTtl::Explicit(3_601), Status::Expiring),
            (Some(NOW), MinTtl::Explicit(0), Status::Expired),
            (Some(NOW - 1), MinTtl::Default, Status::Expired),
            (None, MinTtl::Explicit(60), Status::Unknown),
        ] {
            assert_eq!(Status::of(life(expires_at), NOW, min_ttl), status, "{expires_at:?}");
        }
    }

    #[test]
    fn the_table_tells_people_when_and_programs_exactly_when() {
        let summary = Summary::new(&tokens(), None, None);
        let shown = Shown::token(owner(), &summary, NOW, MinTtl::Default);
        let table = table(&[shown, Shown::none("kabbage")]);
        assert_eq!(
            table.render(Layout { width: Some(100), color: false }),
            "PROFILE  IDENTITY  STATUS  EXPIRES    SUBJECT  SCOPE       STORE\n\
             bindeo   user      valid   in 58 min  alice    read write  file\n\
             kabbage            none\n"
        );
        assert_eq!(
            table.render(Layout { width: None, color: false }),
            "bindeo\tuser\tvalid\t2026-01-01T01:00:00Z\talice\tread write\tfile\n\
             kabbage\t\tnone\t\t\t\t\n"
        );
    }
}
