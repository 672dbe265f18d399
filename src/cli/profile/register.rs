//! `profile add --register`: the server makes the client (RFC 7591).

use crate::cli::context::Context;
use crate::cli::pace::Clock;
use crate::error::{Error, Result};
use crate::exchange::Exchange;
use crate::profile::Profile;
use crate::profile::load::Found;
use crate::secret::Secret;
use crate::terms::{ClientAuthMethod, GrantType};
use crate::wire::redact::Redactor;
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
    let metadata = ClientMetadata {
        client_name: NAME,
        redirect_uris: &profile.redirect_uris,
        grant_types: &grants(&profile),
        auth_method: auth_method(&profile, methods),
        scope: &profile.scope,
    };
    let request = registration::encode(endpoint, &metadata, initial_access_token);
    let redactor = Redactor::new(initial_access_token.cloned());
    context.with_transport(&profile, |transport| {
        let pace = Clock::new(&context.terminal);
        let exchange = Exchange { transport, report: &context.terminal, pace: &pace };
        registration::decode(&exchange.call(&request, "registration", &redactor)?, &redactor)
    })
}

/// What a person's client needs.
fn grants(profile: &Profile) -> Vec<GrantType> {
    let grants = [
        (GrantType::AuthorizationCode, profile.endpoints.authorization.is_some()),
        (GrantType::DeviceCode, profile.endpoints.device_authorization.is_some()),
        (GrantType::RefreshToken, true),
    ];
    grants.into_iter().filter(|(_, known)| *known).map(|(grant, _)| grant).collect()
}

/// As somebody said; else as a public client, which is what a program on people's machines is, unless
/// the server knows none.
fn auth_method(profile: &Profile, offered: Option<&[String]>) -> ClientAuthMethod {
    let offers = |word: &str| offered.is_none_or(|methods| methods.iter().any(|m| m == word));
    profile.client_auth.unwrap_or_else(|| {
        let ours = [
            ClientAuthMethod::None,
            ClientAuthMethod::ClientSecretBasic,
            ClientAuthMethod::ClientSecretPost,
        ];
        ours.into_iter().find(|method| offers(method.as_str())).unwrap_or(ClientAuthMethod::None)
    })
}
