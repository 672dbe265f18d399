//! The authorization server of a test, and what came to it.

use oauthctl::sandbox::{Options, Provider, Recorded, Sandbox};

use super::Test;

/// Every spelling of the sandbox's secrets that goes over the wire.
const SECRETS: [&str; 6] = [
    "client/secret:1",
    "client%2Fsecret%3A1",
    "user/password:1",
    "user%2Fpassword%3A1",
    // HTTP Basic, raw and form-encoded.
    "c2FuZGJveC1jbGllbnQ6Y2xpZW50L3NlY3JldDox",
    "c2FuZGJveC1jbGllbnQ6Y2xpZW50JTJGc2VjcmV0JTNBMQ==",
];

impl Test {
    /// With a sandbox, a profile for each of its providers, and all that is secret there watched for.
    pub fn sandbox(self) -> Self {
        let test = Provider::ALL.into_iter().fold(self.server_alone(), |test, provider| {
            test.variant(provider.name(), provider, "")
        });
        SECRETS.into_iter().fold(test, Test::secret)
    }

    /// With a sandbox and no profile.
    pub fn server_alone(mut self) -> Self {
        self.sandbox = Some(Sandbox::start(Options::default()).unwrap());
        self
    }

    /// With a profile of a provider of the sandbox, in which `lines` stand beside or instead of the usual ones.
    pub fn variant(self, name: &str, provider: Provider, lines: &str) -> Self {
        let text = self.profile_of(provider, lines);
        self.profile(name, &text)
    }

    /// The text of such a profile; a line that begins with `#` takes the usual one away.
    pub fn profile_of(&self, provider: Provider, lines: &str) -> String {
        let credentials = self.server().credentials();
        let file = |name, secret: &str| {
            format!("{{ file = \"{}\" }}", self.secret_file(name, secret).display())
        };
        let text = |text: &str| format!("\"{text}\"");
        let mut usual = vec![
            ("base_url", text(&self.server().base_url(provider))),
            ("client_id", text(&credentials.client_id)),
            ("client_secret", file("client_secret", credentials.client_secret.expose())),
            ("username", text(&credentials.username)),
            ("password", file("password", credentials.password.expose())),
        ];
        if provider == Provider::Standard {
            let grants = "[\"client_credentials\", \"password\", \"refresh_token\"]";
            usual.push(("token_url", text("/token")));
            usual.push(("grants", grants.to_owned()));
        } else {
            usual.push(("provider", text(provider.name())));
        }
        let replaced = |key: &str| {
            let own =
                |line: &str| line.trim_start_matches(['#', ' ']).split(' ').next() == Some(key);
            lines.lines().any(own)
        };
        let usual = usual.iter().filter(|(key, _)| !replaced(key));
        let usual: Vec<_> = usual.map(|(key, value)| format!("{key} = {value}\n")).collect();
        usual.concat() + lines
    }

    /// The sandbox.
    #[track_caller]
    pub fn server(&self) -> &Sandbox {
        self.sandbox.as_ref().expect("the test has a sandbox")
    }

    /// How many token requests came to a provider.
    pub fn asked(&self, provider: Provider) -> u64 {
        self.server().counts(provider).token_requests()
    }

    /// The last token request, with what matters in it: see [`text`].
    #[track_caller]
    pub fn sent(&self) -> String {
        text(self.server().requests().last().expect("a request was sent"))
    }

    /// The access token that was issued last.
    #[track_caller]
    pub fn access_token(&self) -> String {
        self.last_issued(0)
    }

    /// The refresh token that was issued last.
    #[track_caller]
    pub fn refresh_token(&self) -> String {
        self.last_issued(1)
    }

    #[track_caller]
    fn last_issued(&self, index: usize) -> String {
        let requests = self.server().requests();
        let issued = requests.iter().rev().find_map(|request| request.issued.get(index));
        issued.expect("a token was issued").expose().clone()
    }

    /// Every token that the sandbox has handed out.
    pub(super) fn issued(&self) -> Vec<String> {
        let requests = self.sandbox.as_ref().map(Sandbox::requests).unwrap_or_default();
        let issued = requests.iter().flat_map(|request| &request.issued);
        issued.map(|token| token.expose().clone()).collect()
    }
}

/// A request as one text: method and target, the headers that say what it is and who sends it, the body.
fn text(request: &Recorded) -> String {
    const TELLING: [&str; 3] = ["accept", "authorization", "content-type"];
    let mut headers: Vec<String> = request
        .head
        .expose()
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim()))
        .filter(|(name, _)| TELLING.contains(&name.as_str()))
        .map(|(name, value)| format!("{name}: {value}\n"))
        .collect();
    headers.sort();
    let body = String::from_utf8_lossy(request.body.expose());
    format!("{} {}\n{}{body}", request.method, request.target.expose(), headers.concat())
}
