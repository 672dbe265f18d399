//! The request that would be sent, for `--dry-run`: no secret is opened for it.

use crate::error::Result;
use crate::profile::Profile;
use crate::secret::Secret;
use crate::wire::client_auth::ClientCredentials;
use crate::wire::request::TokenRequest;
use crate::wire::{HttpRequest, transcript};

/// The request as text, with a mask for each secret.
pub(super) fn text(profile: &Profile, request: &TokenRequest) -> Result<String> {
    let credentials = credentials(profile)?;
    let text =
        transcript::request(request, profile.token_endpoint()?, &profile.request, &credentials)?;
    Ok(text.to_string())
}

/// The client, with something in its secret's place.
pub(super) fn credentials(profile: &Profile) -> Result<ClientCredentials> {
    Ok(ClientCredentials {
        client_id: profile.client_id()?.to_owned(),
        secret: Some(Secret::from("masked")),
        method: profile.client_auth(),
    })
}

/// A request as text, which was made of masked values.
pub(super) fn plain(request: &HttpRequest) -> String {
    transcript::plain(request).to_string()
}
