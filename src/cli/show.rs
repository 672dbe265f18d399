use std::io::IsTerminal;
use std::path::Path;

use super::args::As;
use super::context::{Context, now, print};
use crate::error::{About, Error, Result, StoreError};
use crate::output::show::{Owner, Shown, table};
use crate::output::summary::Claims;
use crate::output::{details, json};
use crate::profile::Profile;
use crate::profile::layer::Layer;
use crate::profile::load;
use crate::report::Report;
use crate::secret::Secret;
use crate::session::Obtained;
use crate::session::index::{self, IndexEntry, IndexToken};
use crate::session::slot::Slot;
use crate::terms::{Identity, StoreKind};
use crate::token::{MinTtl, TokenSet, UnixTime};
use crate::wire::jwt;

/// Show the cached tokens, without their secrets
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  oauthctl show
  oauthctl show --json | jq -r '.[] | select(.status == \"expired\").profile'
  oauthctl show --profile bindeo --claims")]
pub(super) struct Args {
    #[command(flatten)]
    identity: As,
    /// Print an array of objects
    #[arg(long)]
    json: bool,
    /// Decode the claims of JWTs
    #[arg(long)]
    claims: bool,
    /// Print the tokens themselves
    #[arg(long)]
    reveal: bool,
}

impl Args {
    pub(super) fn run(&self, context: &Context) -> anyhow::Result<()> {
        let rows = self.rows(context)?;
        let now = now();
        let shown: Vec<Shown<'_>> = rows.iter().map(|row| self.shown(row, now)).collect();
        let text = if self.json {
            json::document(&shown)
        } else if self.claims || self.reveal {
            details::lines(&shown)
        } else {
            if shown.is_empty() && std::io::stdout().is_terminal() {
                context
                    .terminal
                    .say("No profile and no token yet. Begin with: oauthctl profile add NAME, or log in to one of: oauthctl provider list");
            }
            Secret::new(table(&shown).render(context.layout()).into_bytes())
        };
        Ok(print(text.expose())?)
    }

    fn shown<'a>(&self, row: &'a Row, now: UnixTime) -> Shown<'a> {
        let shown = match &row.owned {
            Some(owned) => owned.shown(now),
            None => Shown::none(&row.profile),
        };
        let shown = if self.reveal { shown.reveal(row.tokens.as_ref()) } else { shown };
        if self.claims {
            let id_token = row.tokens.as_ref().and_then(|tokens| tokens.id_token.as_ref());
            shown.decode(
                claims(row.tokens.as_ref().map(|tokens| &tokens.access_token)),
                claims(id_token),
                id_token.and(row.tokens.as_ref()).map(|tokens| tokens.id_token_verified),
            )
        } else {
            shown
        }
    }

    fn rows(&self, context: &Context) -> Result<Vec<Row>> {
        let only = context.global.profile.as_deref();
        if let Some(name) = only {
            // A name that is nothing at all is an error, not an empty list.
            context.find(name, Layer::default())?;
        }
        let identity = self.identity.named(&context.env)?;
        let mut rows = Vec::new();
        for slot in index::slots(&context.dirs.data)? {
            let wanted = only.is_none_or(|only| only == slot.profile)
                && identity.is_none_or(|identity| identity == slot.identity);
            if !wanted {
                continue;
            }
            let row = match index::read(&context.dirs.data, &slot.name()) {
                Ok(Some(entry)) => self.row(context, &slot, entry),
                Ok(None) => continue,
                Err(error) => Err(error),
            };
            match row {
                Ok(row) => rows.extend(row),
                // One that is damaged hides no other.
                Err(error) if only.is_none() && is_its_own(&slot, &error) => {
                    context.terminal.warn(&error.sentence());
                }
                Err(error) => return Err(error),
            }
        }
        let names =
            only.map_or_else(|| load::profile_names(&context.dirs), |name| vec![name.to_owned()]);
        for profile in names {
            if !rows.iter().any(|row| row.profile == profile) {
                rows.push(Row { profile, owned: None, tokens: None });
            }
        }
        rows.sort_by(|a, b| a.profile.cmp(&b.profile));
        Ok(rows)
    }

    fn row(&self, context: &Context, slot: &Slot, entry: IndexEntry) -> Result<Option<Row>> {
        let Some(token) = entry.token else { return Ok(None) };
        let profile = context.profile_or_empty(&slot.profile)?;
        let tokens = if self.reveal || self.claims {
            context
                .with_session(&profile, None, |session| session.stored(slot))?
                .map(|stored| stored.tokens)
        } else {
            None
        };
        let min_ttl = profile.min_ttl();
        let owned = Owned {
            profile: slot.profile.clone(),
            identity: slot.identity,
            store: entry.store,
            token,
            min_ttl,
        };
        Ok(Some(Row { profile: slot.profile.clone(), owned: Some(owned), tokens }))
    }
}

/// Whether an error is one of this slot's own entry, or of a file that bears its name.
fn is_its_own(slot: &Slot, error: &Error) -> bool {
    let name = slot.name();
    let bears = |path: &Path| {
        path.file_name().is_some_and(|file| file.to_string_lossy().starts_with(name.as_str()))
    };
    match error {
        Error::Store(StoreError { about: About::Entry(_), .. }) => true,
        Error::Store(StoreError { about: About::File(path), .. }) => bears(path),
        _ => false,
    }
}

/// A profile, and its token where it has one.
struct Row {
    profile: String,
    owned: Option<Owned>,
    tokens: Option<TokenSet>,
}

/// A token as the index knows it, and whose it is.
pub(super) struct Owned {
    profile: String,
    identity: Identity,
    store: StoreKind,
    token: IndexToken,
    min_ttl: MinTtl,
}

impl Owned {
    /// What was just obtained.
    #[must_use]
    pub(super) fn of(profile: &Profile, obtained: &Obtained) -> Self {
        let grant = obtained.tokens.grant_type;
        Self {
            profile: profile.name.clone(),
            identity: if grant == crate::terms::GrantType::ClientCredentials {
                Identity::Client
            } else {
                Identity::User
            },
            store: obtained.store,
            token: IndexToken::of(&obtained.tokens, profile.provider.as_deref()),
            min_ttl: profile.min_ttl(),
        }
    }

    /// The object at this moment.
    #[must_use]
    pub(super) fn shown(&self, now: UnixTime) -> Shown<'_> {
        let owner = Owner {
            profile: &self.profile,
            provider: self.token.provider.as_deref(),
            identity: self.identity,
            store: self.store,
        };
        Shown::token(owner, &self.token.summary, now, self.min_ttl)
    }
}

/// The object of `login --json` and `refresh --json`.
pub(super) fn object(profile: &Profile, obtained: &Obtained) -> Secret<Vec<u8>> {
    json::document(&Owned::of(profile, obtained).shown(now()))
}

/// Whose token it is, as `login --json` says it.
pub(super) fn subject(profile: &Profile, obtained: &Obtained) -> Option<String> {
    Owned::of(profile, obtained).token.summary.subject
}

fn claims(token: Option<&Secret>) -> Option<Claims> {
    jwt::claims(token?.expose())
}
