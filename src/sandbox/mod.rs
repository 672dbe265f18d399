//! An authorization server on loopback that stands in for the providers, as strict as they are.
//!
//! Each provider lives below its own prefix: `http://127.0.0.1:PORT/bindeo/access_token`,
//! `/musement/api/v3/login`, `/kabbage/auth/token`, `/barapi/oauth/token`, and `/standard/token`,
//! which is RFC 6749 to the letter. A request in any dialect but the provider's own is refused with
//! an `error_description` that says what is wrong with it.
//!
//! Below each prefix there are resources too. With a live token: `/whoami` (tells whose it is),
//! `/echo` (repeats the body), `/bytes?n=N`, and musement's `/api/v3/cities`. Without:
//! `/redirect?to=URL` and `/status?code=N`.
//!
//! Of the rest of the crate it knows the errors and the secrets alone, so that no fault of the
//! client can cancel itself out.

mod behaviour;
mod client_auth;
#[cfg(test)]
mod documented;
mod grant;
mod http;
mod issue;
mod ledger;
mod parameters;
mod provider;
#[cfg(test)]
mod raw_client;
mod record;
mod refusal;
mod resource;
mod token_endpoint;

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

pub use behaviour::{Behaviour, Fault, Reuse};
pub use http::Answer;
pub use provider::{Grant, Provider};
pub use record::{Counts, Outcome, Recorded};

use crate::error::{Error, Result};
use crate::secret::Secret;
use http::{Connections, Exchange};
use ledger::Ledger;
use record::Record;

/// How a sandbox is to be.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The port on 127.0.0.1; 0 for any that is free.
    pub port: u16,
    /// Who may have tokens.
    pub credentials: Credentials,
    /// How it behaves from the start.
    pub behaviour: Behaviour,
}

/// The one client and the one user that every provider of the sandbox knows.
///
/// The ready-made ones need no quoting in a shell, yet differ once they are form-encoded.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The client's name.
    pub client_id: String,
    /// The client's secret.
    pub client_secret: Secret,
    /// The user's name.
    pub username: String,
    /// The user's password.
    pub password: Secret,
}

impl Default for Credentials {
    fn default() -> Self {
        Self {
            client_id: "sandbox-client".to_owned(),
            client_secret: "client/secret:1".into(),
            username: "user@sandbox".to_owned(),
            password: "user/password:1".into(),
        }
    }
}

/// A running server. Dropping it ends every connection and frees the port.
pub struct Sandbox {
    address: SocketAddr,
    shared: Arc<Shared>,
    listening: Option<JoinHandle<()>>,
}

/// What all connections share.
struct Shared {
    credentials: Credentials,
    connections: Arc<Connections>,
    state: Mutex<State>,
}

/// What changes while the server runs.
struct State {
    behaviour: Behaviour,
    ledger: Ledger,
    record: Record,
}

impl Sandbox {
    /// Starts a server.
    pub fn start(options: Options) -> Result<Self> {
        let Options { port, credentials, behaviour } = options;
        let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let cannot = |error| Error::io(format!("cannot listen on {wanted}"), error);
        let listener = TcpListener::bind(wanted).map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        let state = State { behaviour, ledger: Ledger::default(), record: Record::default() };
        let connections = Arc::default();
        let shared = Arc::new(Shared { credentials, connections, state: Mutex::new(state) });
        let handler = {
            let shared = Arc::clone(&shared);
            Arc::new(move |exchange: &mut Exchange| shared.answer(exchange))
        };
        let connections = Arc::clone(&shared.connections);
        let listening = thread::Builder::new()
            .name("sandbox".to_owned())
            .spawn(move || http::serve(&listener, &connections, &handler))
            .map_err(cannot)?;
        Ok(Self { address, shared, listening: Some(listening) })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Who may have tokens.
    #[must_use]
    pub fn credentials(&self) -> &Credentials {
        &self.shared.credentials
    }

    /// What stands for a provider's `base_url`.
    #[must_use]
    pub fn base_url(&self, provider: Provider) -> String {
        format!("http://{}/{}", self.address, provider.name())
    }

    /// A provider's token endpoint.
    #[must_use]
    pub fn token_url(&self, provider: Provider) -> String {
        self.base_url(provider) + provider.dialect().token_path
    }

    /// A resource of a provider on which a token can be tried.
    #[must_use]
    pub fn resource_url(&self, provider: Provider) -> String {
        self.base_url(provider) + provider.dialect().resource_path
    }

    /// Changes how it behaves, for requests that come from now on.
    pub fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.shared.lock().behaviour);
    }

    /// The token requests so far, of all providers, the oldest first.
    ///
    /// Of a very long run the oldest are forgotten; [`Sandbox::counts`] has them all.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.lock().record.requests()
    }

    /// How often things happened at a provider.
    #[must_use]
    pub fn counts(&self, provider: Provider) -> Counts {
        self.shared.lock().record.counts(provider)
    }

    /// How many connections are open: with none, all that came was seen to.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.connections.count()
    }

    /// Revokes the access tokens of a provider, though they look fresh to whoever has them.
    pub fn revoke_access_tokens(&self, provider: Provider) {
        self.shared.lock().ledger.revoke_access_tokens(provider);
    }

    /// Revokes the refresh tokens of a provider.
    pub fn revoke_refresh_tokens(&self, provider: Provider) {
        self.shared.lock().ledger.revoke_refresh_tokens(provider);
    }

    /// Serves until the process ends.
    pub fn wait(&self) {
        self.shared.connections.wait();
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.shared.connections.stop();
        // The listener sees that it is to stop when one more connection comes.
        let woken = TcpStream::connect_timeout(&self.address, Duration::from_secs(1)).is_ok();
        if let (true, Some(listening)) = (woken, self.listening.take()) {
            let _ = listening.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leads a request to where its path points.
    fn answer(&self, exchange: &mut Exchange) -> io::Result<()> {
        exchange.clock_skew = self.lock().behaviour.clock_skew;
        let head = exchange.head;
        let path = head.path_and_query().0.strip_prefix('/').unwrap_or_default();
        let start = path.find('/').unwrap_or(path.len());
        let (name, path) = path.split_at(start);
        match Provider::from_name(name) {
            Some(provider) if path == provider.dialect().token_path => {
                token_endpoint::serve(self, provider, exchange)
            }
            Some(provider) => resource::serve(self, provider, path, exchange),
            None => {
                let text = r#"{"error": "there is no provider of this name"}"#;
                exchange.respond(&Answer::new(404).json(text))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::raw_client::{connect, log_in, read};
    use super::*;

    #[test]
    fn dropping_it_ends_every_connection_and_frees_the_port() {
        let sandbox = Sandbox::start(Options::default()).expect("a sandbox");
        let mut idle = connect(&sandbox);
        log_in(&sandbox, Provider::Standard);
        let address = sandbox.address();
        drop(sandbox);
        assert!(read(&mut idle, true).is_none());
        assert!(TcpStream::connect(address).is_err());
    }

    #[test]
    fn a_port_that_is_taken_is_an_error_that_names_it() {
        let sandbox = Sandbox::start(Options::default()).expect("a sandbox");
        let port = sandbox.address().port();
        let error = Sandbox::start(Options { port, ..Options::default() }).expect_err("taken");
        assert_eq!(error.to_string(), format!("cannot listen on 127.0.0.1:{port}"));
    }

    #[test]
    fn debug_shows_no_secret() {
        let options = Options::default();
        let told = format!("{options:?}");
        let sandbox = Sandbox::start(options).expect("a sandbox");
        let tokens = log_in(&sandbox, Provider::Musement);
        let told = format!("{told} {sandbox:?} {:?}", sandbox.requests());
        let credentials = sandbox.credentials();
        for secret in [
            credentials.client_secret.expose(),
            credentials.password.expose(),
            "client%2Fsecret",
            &tokens.member("access_token"),
        ] {
            assert!(!told.contains(secret), "{secret} in {told}");
        }
        assert!(told.contains("Granted"));
    }

    #[test]
    fn urls_tell_where_each_provider_lives() {
        let sandbox = Sandbox::start(Options::default()).expect("a sandbox");
        let origin = format!("http://{}", sandbox.address());
        assert_eq!(sandbox.base_url(Provider::Bindeo), format!("{origin}/bindeo"));
        let login = format!("{origin}/musement/api/v3/login");
        assert_eq!(sandbox.token_url(Provider::Musement), login);
        let cities = format!("{origin}/musement/api/v3/cities");
        assert_eq!(sandbox.resource_url(Provider::Musement), cities);
        for provider in Provider::ALL {
            assert_eq!(Provider::from_name(provider.name()), Some(provider));
        }
        assert_eq!(Provider::from_name("Bindeo"), None);
    }
}
