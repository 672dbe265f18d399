//! The token endpoint: a request in, tokens or a refusal out.

use std::io;
use std::time::{Duration, Instant};

use super::grant::{self, Granted};
use super::http::{self, Answer, Exchange, Head};
use super::issue::{self, Claims};
use super::parameters::Parameters;
use super::provider::{Grant, Member, Provider};
use super::record::{Outcome, Recorded};
use super::refusal::Refusal;
use super::{Credentials, Shared, State, client_auth};
use crate::secret::Secret;

/// The longest body of a token request.
const LONGEST: u64 = 64 * 1024;

/// Answers a request to the token endpoint of a provider.
pub(super) fn serve(
    shared: &Shared,
    provider: Provider,
    exchange: &mut Exchange,
) -> io::Result<()> {
    let body = exchange.body.collect(LONGEST)?;
    let head = exchange.head;
    let parameters = match &body {
        Some(body) => Parameters::read(provider.dialect(), head, body.expose()),
        None => Err(Refusal::invalid_request("the body is longer than 64 KiB").status(413)),
    };
    let named = parameters.as_ref().ok().and_then(|parameters| parameters.get("grant_type"));
    let grant = named.and_then(|word| Grant::from_word(word.expose()));

    let mut state = shared.lock();
    let fault = state.behaviour.strike();
    let (outcome, answer, issued) = match &fault {
        Some(fault) if !fault.after_grant => (Outcome::Struck, None, Vec::new()),
        _ => {
            let (outcome, answer, issued) =
                decide(&mut state, &shared.credentials, provider, head, parameters)?;
            (outcome, Some(answer), issued)
        }
    };
    state.record.add(Recorded {
        provider,
        at: Instant::now(),
        grant,
        outcome,
        method: head.method.clone(),
        target: head.target.clone(),
        head: head.raw.clone(),
        body: body.unwrap_or_default(),
        issued,
    });
    let delay = state.behaviour.delay;
    drop(state);

    shared.connections.sleep(delay);
    match fault.map_or(answer, |fault| fault.answer) {
        Some(answer) => exchange.respond(&answer),
        None => Err(io::ErrorKind::ConnectionAborted.into()),
    }
}

/// Carries out the grant, or says why not.
fn decide(
    state: &mut State,
    credentials: &Credentials,
    provider: Provider,
    head: &Head,
    parameters: Result<Parameters, Refusal>,
) -> io::Result<(Outcome, Answer, Vec<Secret>)> {
    let granted = parameters.and_then(|parameters| {
        client_auth::authenticate(provider.dialect(), head, &parameters, credentials)?;
        grant::carry_out(state, credentials, provider, &parameters)
    });
    match granted {
        Ok(granted) => {
            let (answer, issued) = issue(state, credentials, &granted)?;
            Ok((Outcome::Granted, answer, issued))
        }
        Err(refusal) => {
            let answer = refusal.answer(provider.dialect());
            let Refusal { error, description, .. } = refusal;
            Ok((Outcome::Refused { error, description }, answer, Vec::new()))
        }
    }
}

/// Makes the tokens, notes them, and tells them as the document shows it.
fn issue(
    state: &mut State,
    credentials: &Credentials,
    granted: &Granted,
) -> io::Result<(Answer, Vec<Secret>)> {
    let Granted { grant, session, scope } = granted;
    let dialect = session.provider.dialect();
    let State { behaviour, ledger, .. } = state;
    let expires_in = behaviour.expires_in.unwrap_or(dialect.expires_in);
    let claims = Claims {
        audience: &credentials.client_id,
        subject: session.username.as_ref().unwrap_or(&credentials.client_id),
        scope,
        issued_at: http::time(behaviour.clock_skew).as_second(),
        expires_in,
    };
    let access_token = issue::token(dialect.access_token, &claims)?;
    ledger.issue_access(session, &access_token, Duration::from_secs(expires_in));
    let refreshes = match grant {
        Grant::ClientCredentials => dialect.refreshes_clients,
        Grant::Password => true,
        Grant::RefreshToken => behaviour.rotate,
    };
    let refresh_token =
        refreshes.then(|| issue::token(dialect.refresh_token, &claims)).transpose()?;
    if let Some(token) = &refresh_token {
        ledger.issue_refresh(session, token);
    }

    let scope = dialect.fixed_scope.unwrap_or(scope);
    let members = dialect.members.iter().filter_map(|member| match member {
        Member::AccessToken => Some(("access_token", access_token.expose().as_str().into())),
        Member::TokenType => Some(("token_type", dialect.token_type.into())),
        Member::ExpiresIn => Some(("expires_in", expires_in.into())),
        Member::RefreshToken => {
            refresh_token.as_ref().map(|token| ("refresh_token", token.expose().as_str().into()))
        }
        Member::Scope => (!scope.is_empty()).then(|| ("scope", scope.into())),
    });
    let answer = dialect.answer(200, &members.collect::<Vec<_>>());
    Ok((answer, [access_token].into_iter().chain(refresh_token).collect()))
}

#[cfg(test)]
mod tests {
    use std::thread;

    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use jiff::Timestamp;
    use jiff::fmt::rfc2822::DateTimeParser;

    use super::super::raw_client::{
        BY_CLIENT, BY_PASSWORD, FORM, basic, get, log_in, refresh, request, send, token_request,
        try_send,
    };
    use super::super::{Behaviour, Fault, Options, Sandbox};
    use super::*;

    fn sandbox() -> Sandbox {
        Sandbox::start(Options::default()).expect("a sandbox")
    }

    #[test]
    fn what_the_rfc_and_the_documents_leave_open_is_accepted() {
        let sandbox = sandbox();
        let post = "client_id=sandbox-client&client_secret=client%2fsecret%3a1";
        let machine = "grant_type=client_credentials&audience=a&audience2=";
        let charset = "content-type: Application/X-WWW-Form-Urlencoded; Charset=utf-8";
        let basic = basic("sandbox-client:client%2Fsecret%3A1").replace("Basic", "bAsIc");
        let body = format!("{post}&{machine}");
        for (headers, body) in [(vec![charset, &basic], machine), (vec![FORM], body.as_str())] {
            let reply = send(&sandbox, request("POST /standard/token", &headers, body));
            assert_eq!(reply.status, 200, "{}", reply.text());
        }
        assert_eq!(sandbox.requests()[1].body.expose(), body.as_bytes());
    }

    #[test]
    fn every_request_is_recorded_as_it_came() {
        let sandbox = sandbox();
        let sent = token_request(Provider::Standard, BY_CLIENT);
        let token = send(&sandbox, &sent).member("access_token");
        refresh(&sandbox, Provider::Standard, "unknown");
        send(&sandbox, request("PUT /standard/token", &[], ""));
        let [granted, refused, other] = &sandbox.requests()[..] else { panic!("three requests") };
        assert_eq!(
            granted.head.expose().clone() + &String::from_utf8_lossy(granted.body.expose()),
            sent
        );
        assert_eq!(
            (granted.grant, &granted.outcome),
            (Some(Grant::ClientCredentials), &Outcome::Granted)
        );
        assert_eq!((&granted.issued[..], &refused.issued[..]), (&[token.into()][..], &[][..]));
        let error = "invalid_grant";
        let description = "the refresh token is unknown".to_owned();
        assert_eq!(refused.outcome, Outcome::Refused { error, description });
        assert_eq!((other.grant, other.method.as_str()), (None, "PUT"));
        let counts = sandbox.counts(Provider::Standard);
        assert_eq!((counts.client_credentials, counts.refresh_token, counts.other), (1, 1, 1));
        assert_eq!((counts.password, counts.token_requests()), (0, 3));
        assert_eq!(sandbox.counts(Provider::Bindeo), super::super::Counts::default());
    }

    #[test]
    fn a_fault_before_the_grant_strikes_as_often_as_it_is_told() {
        let sandbox = sandbox();
        let session = log_in(&sandbox, Provider::Standard).member("refresh_token");
        sandbox.behave(|behaviour| {
            let mut fault = Fault { times: Some(2), ..Fault::answer(503, "{}") };
            fault.answer = fault.answer.map(|answer| answer.header("Retry-After", "7"));
            behaviour.fault = Some(fault);
        });
        for _ in 0..2 {
            let reply = refresh(&sandbox, Provider::Standard, &session);
            assert_eq!((reply.status, reply.header("retry-after")), (503, Some("7")));
        }
        assert_eq!(refresh(&sandbox, Provider::Standard, &session).status, 200);
        assert_eq!(sandbox.requests()[1].outcome, Outcome::Struck);
        assert_eq!(sandbox.counts(Provider::Standard).refresh_token, 3);
    }

    #[test]
    fn a_connection_can_close_instead_of_an_answer_before_or_after_the_grant() {
        let sandbox = sandbox();
        let session = log_in(&sandbox, Provider::Standard).member("refresh_token");
        let parameters = [("grant_type", "refresh_token"), ("refresh_token", &session)];
        let renewal = token_request(Provider::Standard, &parameters);
        for (after_grant, outcome) in [(false, Outcome::Struck), (true, Outcome::Granted)] {
            sandbox.behave(|behaviour| {
                behaviour.fault = Some(Fault { times: None, after_grant, answer: None });
            });
            assert!(try_send(&sandbox, &renewal).is_none());
            assert_eq!(sandbox.requests().last().map(|last| &last.outcome), Some(&outcome));
        }
        sandbox.behave(|behaviour| *behaviour = Behaviour::default());
        // The lost answer had the successor.
        send(&sandbox, &renewal)
            .assert_refused("400 invalid_grant the refresh token was spent before");
    }

    #[test]
    fn an_answer_can_be_replaced_after_the_grant() {
        let sandbox = sandbox();
        let body = "{\"access_token\": \"a\"\n\"refresh_token\": \"b\"}";
        sandbox.behave(|behaviour| {
            behaviour.fault = Some(Fault { after_grant: true, ..Fault::answer(200, body) });
        });
        let reply = send(&sandbox, token_request(Provider::Kabbage, BY_PASSWORD));
        assert_eq!((reply.status, reply.text()), (200, body));
        assert_eq!(sandbox.requests()[0].outcome, Outcome::Granted);
    }

    #[test]
    fn the_life_of_a_token_can_be_told() {
        let sandbox = sandbox();
        for (seconds, status) in [(0, 401), (u64::MAX, 200)] {
            sandbox.behave(|behaviour| behaviour.expires_in = Some(seconds));
            let reply = log_in(&sandbox, Provider::Bindeo);
            assert_eq!(reply.json()["expires_in"], seconds);
            let token = reply.member("access_token");
            assert_eq!(get(&sandbox, Provider::Bindeo, "/whoami", &token).status, status);
        }
    }

    #[test]
    fn the_servers_clock_can_be_wrong() {
        let sandbox = sandbox();
        for skew in [0, 86_400, -86_400, i64::MAX] {
            sandbox.behave(|behaviour| behaviour.clock_skew = skew);
            let reply = log_in(&sandbox, Provider::Bindeo);
            let date = reply.header("date").expect("a date");
            let date = DateTimeParser::new().parse_timestamp(date).expect("a date of RFC 9110");
            let ahead = date.as_second() - Timestamp::now().as_second();
            let token = reply.member("access_token");
            let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).expect("a JWT"));
            let claims: serde_json::Value =
                serde_json::from_slice(&claims.expect("base64url")).expect("claims");
            let issued_at = claims["iat"].as_i64().expect("a number");
            assert!((issued_at - date.as_second()).abs() < 60, "{skew}: {claims}");
            // A clock can't show what no calendar has.
            assert!(if skew == i64::MAX { ahead > 0 } else { (ahead - skew).abs() < 60 });
        }
    }

    #[test]
    fn an_answer_that_is_held_back_holds_nobody_else_up() {
        let sandbox = sandbox();
        sandbox.behave(|behaviour| behaviour.delay = Duration::from_secs(30));
        let held = token_request(Provider::Standard, BY_CLIENT);
        thread::scope(|scope| {
            let waiting = scope.spawn(|| try_send(&sandbox, held));
            while sandbox.counts(Provider::Standard).token_requests() == 0 {
                thread::yield_now();
            }
            sandbox.behave(|behaviour| behaviour.delay = Duration::ZERO);
            log_in(&sandbox, Provider::Standard);
            sandbox.shared.connections.stop();
            // Whoever is held back learns of the end.
            assert!(waiting.join().expect("no panic").is_none());
        });
    }
}
