//! `profile add --register`: the server makes the client (RFC 7591).

use super::set::store_client_secret;
use crate::cli::complete;
use crate::cli::context::Context;
use crate::cli::pace::Clock;
use crate::error::{Error, Result};
use crate::exchange::Exchange;
use crate::output::json::rfc3339;
use crate::profile::environment::from_text;
use crate::profile::load::Found;
use crate::profile::schema::{SecretSource, Value};
use crate::profile::{Profile, edit};
use crate::report::Report;
use crate::secret::Secret;
use crate::session::secrets;
use crate::terms::{ClientAuthMethod, GrantType, Identity};
use crate::wire::redact::{Redactor, brief};
use crate::wire::registration::{self, ClientMetadata, Registered};

/// How people know this program.
const NAME: &str = "oauthctl";

/// Has the profile's server make a client that may log people in.
pub(super) fn register(
    context: &Context,
    found: &mut Found,
    initial_access_token: Option<&Secret>,
) -> Result<Registered> {
    let known = context.discover(found)?;
    let profile = Profile::new(&found.name, &found.layer, &context.dirs)?;
    let Some(endpoint) = &profile.endpoints.registration else {
        return Err(Error::missing(
            "registration_url",
            format!("the server of {} offers no registration that is known", profile.name),
        ));
    };
    let methods = known.as_ref().and_then(|k| k.metadata.token_endpoint_auth_methods.as_deref());
    let grants = grants(&profile);
    let metadata = ClientMetadata {
        client_name: NAME,
        redirect_uris: &profile.redirect_uris,
        grant_types: &grants,
        auth_method: auth_method(&profile, methods),
        scope: &profile.scope,
    };
    if metadata.auth_method != ClientAuthMethod::None {
        // A secret is told once: better known before that nothing would keep it.
        let vault = context.vault()?;
        vault.reach(vault.preferred())?;
    }
    let request = registration::encode(endpoint, &metadata, initial_access_token);
    let redactor = Redactor::new(initial_access_token.cloned());
    let registered = context.with_transport(&profile, |transport| {
        let pace = Clock::new(&context.terminal);
        let exchange = Exchange { transport, report: &context.terminal, pace: &pace };
        registration::decode(&exchange.call(&request, "registration", &redactor)?, &redactor)
    })?;
    let redirects = metadata.grant_types.contains(&GrantType::AuthorizationCode);
    if redirects {
        warn_of_redirects(context, &profile, &registered);
    }
    if let Some(end) = registered.secret_expires_at.and_then(rfc3339) {
        context.terminal.warn(&format!(
            "the client's secret ends at {end}: then another client is to be registered"
        ));
    }
    Ok(registered)
}

/// Keeps a client that the server made: its secret first, so that no profile is without it.
pub(super) fn keep(
    context: &Context,
    name: &str,
    text: &str,
    registered: &Registered,
) -> Result<()> {
    let client_id = from_text("client_id", &registered.client_id, "client_id")?;
    let mut text = edit::set(text, "client_id", &client_id)?;
    if let Some(method) = registered.auth_method {
        let method = from_text("client_auth", method.as_str(), "client_auth")?;
        text = edit::set(&text, "client_auth", &method)?;
    }
    if let Some(secret) = &registered.client_secret {
        store_client_secret(context, name, secret)?;
        text = edit::set(&text, "client_secret", &Value::Secret(SecretSource::Store))?;
    }
    complete::write_profile(context, name, &text).inspect_err(|_| {
        if registered.client_secret.is_some() {
            let entry = secrets::client_secret_entry(name);
            let _ = context.vault().and_then(|vault| vault.forget_secret(&entry));
        }
    })
}

/// A server may make something else of what it is asked (RFC 7591 section 3.2.1).
fn warn_of_redirects(context: &Context, profile: &Profile, registered: &Registered) {
    let Some(known) = &registered.redirect_uris else { return };
    let unknown: Vec<&str> = profile
        .redirect_uris
        .iter()
        .map(String::as_str)
        .filter(|uri| !known.iter().any(|known| known == uri))
        .collect();
    if !unknown.is_empty() {
        context.terminal.warn(&format!(
            "the server did not register the redirect_uri {}, but {}",
            unknown.join(", "),
            if known.is_empty() { "none".to_owned() } else { brief(&known.join(", "), 300) }
        ));
    }
}

/// What the profile's client needs: a machine's grant, or a person's.
fn grants(profile: &Profile) -> Vec<GrantType> {
    if profile.identity() == Identity::Client {
        return vec![GrantType::ClientCredentials];
    }
    let grants = [
        GrantType::AuthorizationCode,
        GrantType::DeviceCode,
        GrantType::Password,
        GrantType::RefreshToken,
    ];
    grants
        .into_iter()
        .filter(|&grant| match grant {
            GrantType::AuthorizationCode => profile.endpoints.authorization.is_some(),
            GrantType::DeviceCode => profile.endpoints.device_authorization.is_some(),
            _ => true,
        })
        .filter(|&grant| profile.allows(grant))
        .collect()
}

/// As somebody said; else as a public client, which is what a program on people's machines is, unless
/// the server knows none. A machine has nothing but its secret.
fn auth_method(profile: &Profile, offered: Option<&[String]>) -> ClientAuthMethod {
    let is_machine = profile.identity() == Identity::Client;
    let offers = |word: &str| offered.is_none_or(|methods| methods.iter().any(|m| m == word));
    profile.client_auth.unwrap_or_else(|| {
        let ours = [
            ClientAuthMethod::None,
            ClientAuthMethod::ClientSecretBasic,
            ClientAuthMethod::ClientSecretPost,
        ];
        let ours = if is_machine { &ours[1..] } else { &ours };
        let offered = ours.iter().find(|method| offers(method.as_str()));
        *offered.unwrap_or(&ours[0])
    })
}
