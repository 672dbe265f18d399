//! What a token request asks for, and whether it is granted.

use super::ledger::{Rejected, Session};
use super::parameters::{Parameters, RESERVED};
use super::provider::{Grant, Provider, ScopeRule};
use super::refusal::Refusal;
use super::{Credentials, State};
use crate::secret::Secret;

/// A grant that was carried out.
pub(super) struct Granted {
    pub grant: Grant,
    pub session: Session,
    /// The scope of the new access token.
    pub scope: String,
}

/// Checks what is asked for against the credentials, and opens or goes on with a session.
pub(super) fn carry_out(
    state: &mut State,
    credentials: &Credentials,
    provider: Provider,
    parameters: &Parameters,
) -> Result<Granted, Refusal> {
    let grant = grant_type(provider, parameters)?;
    let scope = scope(provider, grant, parameters)?;
    let value = |name| parameters.get(name).cloned().unwrap_or_default();
    let session = match grant {
        Grant::ClientCredentials => state.ledger.open(provider, None, scope.clone()),
        Grant::Password => {
            let (username, password) = (value("username"), value("password"));
            if *username.expose() != credentials.username || password != credentials.password {
                return Err(Refusal::new("invalid_grant", "username or password is wrong"));
            }
            state.ledger.open(provider, Some(credentials.username.clone()), scope.clone())
        }
        Grant::RefreshToken => refresh(state, provider, &value("refresh_token"), &scope)?,
    };
    let scope = if scope.is_empty() { session.scope.clone() } else { scope };
    Ok(Granted { grant, session, scope })
}

/// The grant that is asked for, with all of its parameters and none of another's.
fn grant_type(provider: Provider, parameters: &Parameters) -> Result<Grant, Refusal> {
    let missing = |name| Refusal::invalid_request(format!("the parameter {name} is missing"));
    let word = parameters.get("grant_type").ok_or_else(|| missing("grant_type"))?;
    let grant = Grant::from_word(word.expose()).filter(|grant| provider.grants().contains(grant));
    let grant = grant.ok_or_else(|| {
        let grants: Vec<_> = provider.grants().iter().map(|grant| grant.as_str()).collect();
        let text = format!("{} grants only {}", provider.name(), grants.join(", "));
        Refusal::new("unsupported_grant_type", text)
    })?;
    let own = grant.parameters();
    if let Some(name) = own.iter().find(|name| parameters.get(name).is_none()) {
        return Err(missing(name));
    }
    let shared = ["grant_type", "client_id", "client_secret", "scope"];
    let foreign = |name: &&str| !own.contains(name) && !shared.contains(name);
    match RESERVED.into_iter().filter(foreign).find(|name| parameters.has(name)) {
        Some(name) => Err(Refusal::invalid_request(format!(
            "the grant {} has no parameter {name}",
            grant.as_str()
        ))),
        None => Ok(grant),
    }
}

/// The scope that is asked for; empty where there is none.
fn scope(provider: Provider, grant: Grant, parameters: &Parameters) -> Result<String, Refusal> {
    let name = provider.name();
    let scope = parameters.get("scope").map(|scope| scope.expose().clone()).unwrap_or_default();
    match (provider.dialect().scope, grant, parameters.has("scope")) {
        (ScopeRule::WithPassword, Grant::Password, false) => {
            return Err(Refusal::invalid_request(format!(
                "{name} wants the parameter scope with a password, even empty"
            )));
        }
        (ScopeRule::WithPassword, Grant::RefreshToken, true) => {
            return Err(Refusal::invalid_request(format!("{name} takes no scope on refresh")));
        }
        (ScopeRule::Optional, _, true) if scope.is_empty() => {
            return Err(Refusal::invalid_request(
                "the parameter scope is empty; without a scope it is left out \
                 (RFC 6749 section 3.3)",
            ));
        }
        _ => {}
    }
    let is_word = |word: &str| {
        !word.is_empty()
            && word.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\".contains(&byte))
    };
    if scope.is_empty() || scope.split(' ').all(is_word) {
        Ok(scope)
    } else {
        let text = "scopes are joined by single blanks (RFC 6749 section 3.3)";
        Err(Refusal::new("invalid_scope", text))
    }
}

/// Takes the refresh token in payment.
fn refresh(
    state: &mut State,
    provider: Provider,
    token: &Secret,
    scope: &str,
) -> Result<Session, Refusal> {
    let State { behaviour, ledger, record } = state;
    record.counts_mut(provider).reuse += u64::from(ledger.is_spent(provider, token));
    let session = ledger.redeem(provider, token, scope, behaviour.rotate, behaviour.reuse);
    session.map_err(|rejected| {
        let (error, text) = match rejected {
            Rejected::Unknown => ("invalid_grant", "the refresh token is unknown"),
            Rejected::Revoked => ("invalid_grant", "the refresh token was revoked"),
            Rejected::Spent => ("invalid_grant", "the refresh token was spent before"),
            Rejected::Wider => ("invalid_scope", "the scope is wider than the one granted"),
        };
        Refusal::new(error, text)
    })
}

#[cfg(test)]
mod tests {
    use super::super::raw_client::{
        BY_CLIENT, FORM, Reply, get, log_in, post, refresh, send, token_request,
    };
    use super::super::{Options, Reuse, Sandbox};
    use super::*;

    fn sandbox() -> Sandbox {
        Sandbox::start(Options::default()).expect("a sandbox")
    }

    fn tokens(reply: &Reply) -> (String, String) {
        (reply.member("access_token"), reply.member("refresh_token"))
    }

    /// A form with the client in it.
    fn ask(sandbox: &Sandbox, provider: Provider, parameters: &str) -> Reply {
        let client = "client_id=sandbox-client&client_secret=client/secret:1&";
        post(sandbox, provider, &[FORM], &(client.to_owned() + parameters))
    }

    #[test]
    fn what_is_missing_foreign_or_wrong_is_named() {
        let sandbox = sandbox();
        let (standard, barapi) = (Provider::Standard, Provider::Barapi);
        let person = "grant_type=password&username=user@sandbox&password=user/password:1";
        for (provider, parameters, expected) in [
            (standard, "a=", "400 invalid_request the parameter grant_type is missing"),
            (standard, "grant_type=", "400 invalid_request the parameter grant_type is missing"),
            (
                standard,
                "grant_type=Password",
                "400 unsupported_grant_type standard grants only client_credentials, password, \
                 refresh_token",
            ),
            (
                barapi,
                "grant_type=client_credentials",
                "400 unsupported_grant_type barapi grants only password, refresh_token",
            ),
            (
                standard,
                "grant_type=password&username=user@sandbox&password=",
                "400 invalid_request the parameter password is missing",
            ),
            (
                standard,
                "grant_type=client_credentials&username=u",
                "400 invalid_request the grant client_credentials has no parameter username",
            ),
            (
                standard,
                "grant_type=refresh_token&refresh_token=x&password=y",
                "400 invalid_request the grant refresh_token has no parameter password",
            ),
            (
                standard,
                "grant_type=password&username=user@sandbox&password=x",
                "400 invalid_grant username or password is wrong",
            ),
            (
                standard,
                "grant_type=password&username=x&password=user/password:1",
                "400 invalid_grant username or password is wrong",
            ),
            (
                standard,
                "grant_type=client_credentials&scope=",
                "400 invalid_request the parameter scope is empty",
            ),
            (standard, "grant_type=client_credentials&scope=a++b", "400 invalid_scope blanks"),
            (standard, "grant_type=client_credentials&scope=%22", "400 invalid_scope"),
            (barapi, person, "400 invalid_request barapi wants the parameter scope"),
            (
                barapi,
                "grant_type=refresh_token&refresh_token=x&scope=",
                "400 invalid_request barapi takes no scope on refresh",
            ),
        ] {
            ask(&sandbox, provider, parameters).assert_refused(expected);
        }
    }

    fn status(sandbox: &Sandbox, provider: Provider, access_token: &str) -> u16 {
        get(sandbox, provider, "/whoami", access_token).status
    }

    #[test]
    fn a_spent_refresh_token_ends_its_family_and_no_other() {
        let sandbox = sandbox();
        for provider in Provider::ALL {
            let (other, _) = tokens(&log_in(&sandbox, provider));
            let (first, spent) = tokens(&log_in(&sandbox, provider));
            let (second, live) = tokens(&refresh(&sandbox, provider, &spent));
            assert_ne!(spent, live);
            assert_eq!(status(&sandbox, provider, &first), 200);
            assert_eq!(status(&sandbox, provider, &second), 200);

            refresh(&sandbox, provider, &spent)
                .assert_refused("400 invalid_grant the refresh token was spent before");
            refresh(&sandbox, provider, &live)
                .assert_refused("400 invalid_grant the refresh token was revoked");
            assert_eq!(status(&sandbox, provider, &first), 401);
            assert_eq!(status(&sandbox, provider, &second), 401);
            assert_eq!(status(&sandbox, provider, &other), 200);
            assert_eq!(sandbox.counts(provider).reuse, 1);
        }
    }

    #[test]
    fn a_refresh_token_is_good_for_its_own_provider_alone() {
        let sandbox = sandbox();
        let (access, refresh_token) = tokens(&log_in(&sandbox, Provider::Kabbage));
        for provider in Provider::ALL.into_iter().filter(|other| *other != Provider::Kabbage) {
            refresh(&sandbox, provider, &refresh_token)
                .assert_refused("400 invalid_grant the refresh token is unknown");
        }
        refresh(&sandbox, Provider::Kabbage, &access)
            .assert_refused("400 invalid_grant the refresh token is unknown");
        assert_eq!(refresh(&sandbox, Provider::Kabbage, &refresh_token).status, 200);
    }

    #[test]
    fn without_rotation_a_refresh_token_stays_and_no_other_comes() {
        let sandbox = sandbox();
        sandbox.behave(|behaviour| behaviour.rotate = false);
        let (_, token) = tokens(&log_in(&sandbox, Provider::Standard));
        for _ in 0..2 {
            let renewed = refresh(&sandbox, Provider::Standard, &token);
            assert_eq!((renewed.status, renewed.member("refresh_token")), (200, String::new()));
        }
    }

    #[test]
    fn a_server_can_be_lenient_about_a_spent_refresh_token() {
        let sandbox = sandbox();
        for (reuse, expected) in [(Reuse::Refused, 400), (Reuse::Granted, 200)] {
            sandbox.behave(|behaviour| behaviour.reuse = reuse);
            let (_, spent) = tokens(&log_in(&sandbox, Provider::Standard));
            let (_, live) = tokens(&refresh(&sandbox, Provider::Standard, &spent));
            assert_eq!(refresh(&sandbox, Provider::Standard, &spent).status, expected);
            assert_eq!(refresh(&sandbox, Provider::Standard, &live).status, 200);
        }
        assert_eq!(sandbox.counts(Provider::Standard).reuse, 2);
    }

    #[test]
    fn tokens_can_be_revoked_behind_the_clients_back() {
        let sandbox = sandbox();
        let (access, token) = tokens(&log_in(&sandbox, Provider::Standard));
        let (others, _) = tokens(&log_in(&sandbox, Provider::Bindeo));
        sandbox.revoke_access_tokens(Provider::Standard);
        assert_eq!(status(&sandbox, Provider::Standard, &access), 401);
        assert_eq!(status(&sandbox, Provider::Bindeo, &others), 200);
        let (access, token) = tokens(&refresh(&sandbox, Provider::Standard, &token));
        sandbox.revoke_refresh_tokens(Provider::Standard);
        assert_eq!(status(&sandbox, Provider::Standard, &access), 200);
        assert_eq!(refresh(&sandbox, Provider::Standard, &token).status, 400);
    }

    #[test]
    fn a_refresh_may_narrow_the_scope_but_not_widen_it() {
        let sandbox = sandbox();
        let login = token_request(Provider::Standard, BY_CLIENT);
        assert_eq!(send(&sandbox, login).json()["scope"], serde_json::Value::Null);
        let ask = |parameters: &str| ask(&sandbox, Provider::Standard, parameters);
        let reply =
            ask("grant_type=password&username=user@sandbox&password=user/password:1&scope=a+b");
        assert_eq!(reply.member("scope"), "a b");
        let token = reply.member("refresh_token");
        ask(&format!("grant_type=refresh_token&refresh_token={token}&scope=a+c"))
            .assert_refused("400 invalid_scope the scope is wider than the one granted");
        let narrower = ask(&format!("grant_type=refresh_token&refresh_token={token}&scope=b"));
        assert_eq!(narrower.member("scope"), "b");
        let token = narrower.member("refresh_token");
        let whole = ask(&format!("grant_type=refresh_token&refresh_token={token}"));
        assert_eq!(whole.member("scope"), "a b");
    }
}
