//! A login in a browser (RFC 8252): the authorization code grant with PKCE.

use std::io::{IsTerminal, stdin};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Instant;

use url::Url;

use super::{PATIENCE, Person, is_interrupted, print, unfinished};
use crate::cli::{dry_run, terminal};
use crate::error::{Error, Result};
use crate::grant::browser;
use crate::grant::loopback::Redirect;
use crate::profile::Profile;
use crate::report::Report;
use crate::secret::Secret;
use crate::session::{Login, Session};
use crate::store::random;
use crate::terms::GrantType;
use crate::wire::authorization::{AuthorizationRequest, decode_pushed};
use crate::wire::callback::{Callback, Expected};
use crate::wire::pkce::PkceVerifier;
use crate::wire::request::TokenRequest;

impl Person<'_> {
    /// Sends the person to the authorization endpoint, and waits for the code.
    pub(super) fn browse(&mut self, session: &Session<'_>) -> Result<Login> {
        let profile = session.profile;
        let redirect = Redirect::bind(&profile.redirect_uris)?;
        let request = request(profile, &redirect.uri)?;
        let url = url(session, &request)?;
        let metadata = self.known.map(|known| &known.metadata);
        let expected = Expected {
            redirect_uri: &redirect.url,
            state: &request.state,
            issuer: metadata.map(|metadata| metadata.issuer.as_str()).or(profile.issuer.as_deref()),
            requires_iss: metadata.is_some_and(|metadata| metadata.iss_in_answers),
        };
        if metadata.is_some_and(|metadata| !metadata.may_check_pkce()) {
            self.context
                .terminal
                .warn("the server doesn't say that it checks S256: a code that is stolen on its way could be used");
        }
        let mut pasted = Pasted::new(self.invite(&redirect, &url)?, self.args.paste);
        let until = Instant::now() + PATIENCE;
        let answer = redirect.wait(&expected, until, &mut || {
            if is_interrupted() {
                return Err(unfinished(session, "the login was interrupted"));
            }
            pasted.look(&expected)
        })?;
        let Some((callback, browser)) = answer else {
            let because = "nobody came back from the browser within 5 minutes";
            return Err(unfinished(session, because));
        };
        self.browser = Some(browser);
        match callback {
            Callback::Code(code) => Ok(Login {
                grant_type: GrantType::AuthorizationCode,
                request: TokenRequest::authorization_code(code, &redirect.uri, &request.verifier),
                username: None,
                nonce: request.nonce.clone(),
                refresh_token: None,
            }),
            Callback::Error(refusal) => Err(refusal.into()),
        }
    }

    /// Shows the person where to go; tells whether the answer can be pasted here.
    fn invite(&self, redirect: &Redirect, url: &Url) -> Result<bool> {
        let args = self.args;
        let may_paste = args.paste || self.context.may_ask();
        if !redirect.listens() && !may_paste {
            return Err(Error::config(format!(
                "redirect_uri {} does not lead to this machine: give --paste, and the URL on stdin",
                redirect.uri
            )));
        }
        let opened = !args.no_browser
            && !args.paste
            && redirect.listens()
            && browser::open(url, &self.context.env);
        terminal::tell(if opened {
            "A browser opens to log in. If none does, open this URL:"
        } else {
            "Open this URL in a browser to log in:"
        });
        terminal::tell(&format!("\n  {url}\n"));
        let pastes =
            args.paste || !redirect.listens() || (!opened && !args.no_browser && may_paste);
        if pastes && stdin().is_terminal() {
            terminal::tell(&if redirect.listens() {
                format!(
                    "Where that browser is on another machine, it ends at a page that it can't show: paste the URL of that page here, which begins with {}",
                    redirect.uri
                )
            } else {
                "Then paste what it ends at here: the whole URL, or the code that is shown."
                    .to_owned()
            });
        }
        Ok(pastes)
    }
}

/// The URL to open; where the server or the profile wants it so, after pushing what is asked.
fn url(session: &Session<'_>, request: &AuthorizationRequest) -> Result<Url> {
    let profile = session.profile;
    let endpoint = authorization_endpoint(profile)?;
    let dialect = &profile.authorization;
    if !dialect.pushed {
        return Ok(request.url(endpoint, dialect));
    }
    let Some(push_to) = &profile.endpoints.pushed_authorization_request else {
        let key = "pushed_authorization_request_url";
        let message =
            format!("the profile {} has authorization.pushed, but no {key}", profile.name);
        return Err(Error::missing(key, message));
    };
    let credentials = session.credentials()?;
    let pushed = request.pushed(push_to, dialect, &profile.request, &credentials)?;
    let redactor = request.redactor(&profile.request, &credentials);
    let answer = session.exchange.call(&pushed, "pushed authorization request", &redactor)?;
    Ok(request.pushed_url(endpoint, &decode_pushed(&answer, &redactor)?))
}

/// What a person pastes, line by line, until one of them is an answer.
struct Pasted {
    lines: Option<Receiver<Result<String>>>,
    /// Whether the answer comes in no other way.
    alone: bool,
}

/// What a terminal leaves of a longer line, in bytes.
const LONGEST_LINE: usize = 4095;

impl Pasted {
    fn new(pastes: bool, alone: bool) -> Self {
        Self { lines: pastes.then(terminal::lines), alone }
    }

    fn look(&mut self, expected: &Expected<'_>) -> Result<Option<Callback>> {
        let Some(lines) = &self.lines else { return Ok(None) };
        let line = match lines.try_recv() {
            Ok(line) => line?,
            Err(TryRecvError::Disconnected) if self.alone => {
                return Err(Error::Usage("stdin ended, and no URL was pasted".to_owned()));
            }
            Err(_) => return Ok(None),
        };
        if line.trim().is_empty() {
            return Ok(None);
        }
        if stdin().is_terminal() && line.len() == LONGEST_LINE {
            return Err(Error::Usage(
                "that is longer than a terminal takes in a line: run stty -icanon, and log in once more".to_owned(),
            ));
        }
        match expected.pasted(&line) {
            Err(error) if stdin().is_terminal() => {
                terminal::tell(&format!("{error}; paste the whole URL once more."));
                Ok(None)
            }
            answer => answer.map(Some),
        }
    }
}

/// What is asked for, with a state, a nonce and a verifier of its own.
fn request(profile: &Profile, redirect_uri: &str) -> Result<AuthorizationRequest> {
    let fault = |error| Error::io("can't begin a login", error);
    let state: [u8; 16] = random().map_err(fault)?;
    let nonce: [u8; 16] = random().map_err(fault)?;
    let is_openid = profile.scope.iter().any(|scope| scope == "openid");
    Ok(AuthorizationRequest {
        client_id: profile.client_id()?.to_owned(),
        redirect_uri: redirect_uri.to_owned(),
        scope: profile.scope.clone(),
        state: hex(state),
        nonce: is_openid.then(|| hex(nonce)),
        verifier: PkceVerifier::new(random().map_err(fault)?),
    })
}

fn hex(bytes: [u8; 16]) -> Secret {
    Secret::new(format!("{:032x}", u128::from_be_bytes(bytes)))
}

fn authorization_endpoint(profile: &Profile) -> Result<&Url> {
    profile.endpoints.authorization.as_ref().ok_or_else(|| profile.lacks("authorization_url"))
}

/// What would be asked, for `--dry-run`: the URL to open, and the request that redeems the code.
pub(super) fn show_request(profile: &Profile) -> Result<()> {
    let redirect_uri = profile.redirect_uris.first().map_or("", String::as_str);
    let masked = |secret: &mut Secret| *secret = Secret::from("***");
    let mut request = request(profile, redirect_uri)?;
    masked(&mut request.state);
    request.nonce.iter_mut().for_each(masked);
    let url = request.url(authorization_endpoint(profile)?, &profile.authorization);
    let url = url.as_str().replace(&request.verifier.challenge(), "***");
    let code = TokenRequest::authorization_code(
        Secret::from("masked"),
        redirect_uri,
        &PkceVerifier::new([0; 32]),
    );
    print(format!("GET {url}\n\n{}", dry_run::text(profile, &code)?).as_bytes())
}
