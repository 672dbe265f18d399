//! A login at another device (RFC 8628).

use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use super::{Context, PATIENCE, Person, is_interrupted, print};
use crate::cli::{dry_run, terminal};
use crate::error::{Error, Result};
use crate::grant::polling::Polling;
use crate::profile::Profile;
use crate::secret::Secret;
use crate::session::{Login, Session};
use crate::terms::GrantType;
use crate::wire::HttpRequest;
use crate::wire::client_auth::ClientCredentials;
use crate::wire::device::{self, DeviceAuthorization};
use crate::wire::request::{TokenRequest, redactor};

/// A code that a person is to confirm.
pub(super) struct Waiting {
    profile: String,
    polling: Polling,
    until: Instant,
}

impl Person<'_> {
    /// Asks for a code and shows it.
    pub(super) fn show_code(&mut self, session: &Session<'_>) -> Result<Login> {
        let profile = session.profile;
        let credentials = session.credentials()?;
        let request = request(profile, &credentials)?;
        let redactor = redactor([], &profile.request, &credentials);
        let answer = session.exchange.call(&request, "device authorization", &redactor)?;
        let authorization = device::decode(&answer, &redactor)?;
        show(&authorization, self.context);
        // Without a person at the terminal nobody is waited for longer than at a browser.
        let life = authorization.expires_in;
        let life = if self.context.may_ask() { life } else { life.min(PATIENCE) };
        let mut waiting = Waiting {
            profile: profile.name.clone(),
            polling: Polling::new(authorization.interval),
            until: Instant::now() + life,
        };
        waiting.pause(self.context)?;
        self.device = Some(waiting);
        Ok(Login {
            grant_type: GrantType::DeviceCode,
            request: TokenRequest::device_code(authorization.device_code),
            username: None,
            nonce: None,
            refresh_token: None,
        })
    }
}

impl Waiting {
    /// Waits for the next question, where this answer leaves one open.
    pub(super) fn again(&mut self, answer: &Error, context: &Context) -> Result<bool> {
        if !self.polling.goes_on(answer) {
            return Ok(false);
        }
        self.pause(context)?;
        Ok(true)
    }

    fn pause(&mut self, context: &Context) -> Result<()> {
        let next = Instant::now() + self.polling.pause();
        if next >= self.until {
            return Err(self.unfinished("nobody has confirmed the code before it ended"));
        }
        let shows = stderr().is_terminal() && !context.global.quiet;
        let mut last = None;
        while Instant::now() < next {
            if is_interrupted() {
                return Err(self.unfinished("the login was interrupted"));
            }
            let left = self.until.saturating_duration_since(Instant::now()).as_secs();
            if shows && last.replace(left) != Some(left) {
                terminal::status(&format!(
                    "waiting for you to confirm the code, {}:{:02} left",
                    left / 60,
                    left % 60
                ));
            }
            std::thread::sleep(
                Duration::from_millis(50).min(next.saturating_duration_since(Instant::now())),
            );
        }
        if shows {
            terminal::status("");
        }
        Ok(())
    }

    fn unfinished(&self, because: &str) -> Error {
        Error::LoginRequired { profile: self.profile.clone(), because: because.to_owned() }
    }
}

fn request(profile: &Profile, credentials: &ClientCredentials) -> Result<HttpRequest> {
    let Some(endpoint) = &profile.endpoints.device_authorization else {
        return Err(profile.lacks("device_authorization_url"));
    };
    let (params, dialect) = (&profile.device_params, &profile.authorization);
    device::encode(endpoint, &profile.scope, params, dialect, &profile.request, credentials)
}

/// Shows the code, large and clear, and where it goes; where there is one, a QR code of both.
fn show(authorization: &DeviceAuthorization, context: &Context) {
    terminal::tell(&format!(
        "Open this page on any device:\n\n  {}\n",
        authorization.verification_uri
    ));
    terminal::tell(&format!("and enter this code:\n\n  {}\n", authorization.user_code));
    let Some(complete) = &authorization.verification_uri_complete else { return };
    terminal::tell(&format!("or open it with the code in it:\n\n  {complete}\n"));
    let draws = stderr().is_terminal() && context.env.os("TERM").is_none_or(|term| term != "dumb");
    if let Some(picture) = draws.then(|| qr(complete.as_str())).flatten() {
        terminal::picture(&picture);
    }
}

/// The modules that stay light on each side of a QR code.
const QUIET: usize = 4;

/// A QR code in half blocks, two of its rows in a line; none where it would be too large to scan, or
/// wider than the terminal.
fn qr(text: &str) -> Option<String> {
    use qrcode::render::unicode::Dense1x2;
    use qrcode::{EcLevel, QrCode};
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    let room = terminal::columns().unwrap_or(80);
    let fits = code.width() <= 60 && code.width() + 2 * QUIET <= room;
    fits.then(|| {
        code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build()
    })
}

/// What would be asked, for `--dry-run`.
pub(super) fn show_request(profile: &Profile) -> Result<()> {
    let credentials = dry_run::credentials(profile)?.redacted();
    let first = dry_run::plain(&request(profile, &credentials)?);
    let then = TokenRequest::device_code(Secret::from("masked"));
    print(format!("{first}\n{}", dry_run::text(profile, &then)?).as_bytes())
}
