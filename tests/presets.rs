//! Every preset says what its provider's documentation says, and leads nowhere else.

use oauthctl::profile::dirs::Dirs;
use oauthctl::profile::load::read_preset;
use oauthctl::profile::presets::BUILT_IN;
use oauthctl::profile::{Profile, layer::Layer};
use url::Url;

use super::support::Test;
use super::support::raw::{RawServer, answer};

/// What the documentation of a provider says, by hand: nothing here is read from its preset.
struct Documented {
    name: &'static str,
    /// What a profile has to say, for the preset to be whole.
    keys: &'static [(&'static str, &'static str)],
    /// Every host that an endpoint is at.
    hosts: &'static [&'static str],
    /// The path of the token endpoint.
    token: &'static str,
    /// The hosts of its APIs, where they are others than that of `base_url`.
    api_hosts: &'static [&'static str],
    /// Where a person registers.
    console: &'static str,
    /// What a person registers there to be redirected to.
    redirect_uri: &'static str,
    machines: bool,
}

const ANY_PORT: &str = "http://127.0.0.1/callback";
const ONE_PORT: &str = "http://127.0.0.1:28765/callback";
const LOCALHOST: &str = "http://localhost:28765/callback";

macro_rules! documented {
    ($($name:literal $keys:expr, $hosts:expr, $token:literal, $api_hosts:expr, $console:literal, $redirect:expr, $machines:literal;)*) => {
        &[$(Documented { name: $name, keys: &$keys, hosts: &$hosts, token: $token, api_hosts: &$api_hosts, console: $console, redirect_uri: $redirect, machines: $machines }),*]
    };
}

const DOCUMENTED: &[Documented] = documented! {
    "atlassian" [], ["auth.atlassian.com"], "/oauth/token", ["api.atlassian.com"],
        "https://developer.atlassian.com/console/myapps/", LOCALHOST, false;
    "auth0" [("domain", "a.example")], ["a.example"], "/oauth/token", [],
        "https://manage.auth0.com", ONE_PORT, true;
    "authentik" [("base_url", "https://b.example")], ["b.example"], "/application/o/token/", [],
        "Admin interface", ONE_PORT, true;
    "bitbucket" [], ["bitbucket.org"], "/site/oauth2/access_token", ["api.bitbucket.org"],
        "https://bitbucket.org", ONE_PORT, true;
    "discord" [], ["discord.com"], "/api/oauth2/token", [],
        "https://discord.com/developers/applications", ONE_PORT, true;
    "dropbox" [], ["www.dropbox.com", "api.dropboxapi.com"], "/oauth2/token",
        ["api.dropboxapi.com", "content.dropboxapi.com"],
        "https://www.dropbox.com/developers/apps", ONE_PORT, false;
    "github" [], ["github.com"], "/login/oauth/access_token", ["api.github.com"],
        "https://github.com/settings/applications/new", ANY_PORT, false;
    "gitlab" [], ["gitlab.com"], "/oauth/token", [],
        "https://gitlab.com/-/user_settings/applications", ONE_PORT, false;
    "google" [], ["accounts.google.com", "oauth2.googleapis.com", "openidconnect.googleapis.com"],
        "/token", ["*.googleapis.com"],
        "https://console.cloud.google.com/auth/clients", "http://127.0.0.1", false;
    "keycloak" [("realm", "r"), ("base_url", "https://b.example/auth")], ["b.example"],
        "/auth/realms/r/protocol/openid-connect/token", [],
        "Admin Console", ANY_PORT, true;
    "linkedin" [], ["www.linkedin.com", "api.linkedin.com"], "/oauth/v2/accessToken",
        ["api.linkedin.com"], "https://www.linkedin.com/developers/apps", ONE_PORT, true;
    "microsoft" [], ["login.microsoftonline.com", "graph.microsoft.com"],
        "/common/oauth2/v2.0/token", ["graph.microsoft.com"],
        "https://entra.microsoft.com", "http://localhost/callback", true;
    "okta" [("domain", "a.example")], ["a.example"], "/oauth2/default/v1/token", [],
        "Admin Console", ONE_PORT, true;
    "ory" [("domain", "a.example")], ["a.example"], "/oauth2/token", [],
        "https://console.ory.sh", ONE_PORT, true;
    "salesforce" [], ["login.salesforce.com"], "/services/oauth2/token", ["*.my.salesforce.com"],
        "External Client App Manager", LOCALHOST, true;
    "slack" [], ["slack.com"], "/api/oauth.v2.user.access", [],
        "https://api.slack.com/apps", LOCALHOST, false;
    "spotify" [], ["accounts.spotify.com"], "/api/token", ["api.spotify.com"],
        "https://developer.spotify.com/dashboard", ANY_PORT, true;
    "zitadel" [("domain", "a.example")], ["a.example"], "/oauth/v2/token", [],
        "the console", ONE_PORT, true;
    "zoom" [], ["zoom.us"], "/oauth/token", ["api.zoom.us"],
        "https://marketplace.zoom.us", ANY_PORT, true;
};

/// Those that the program was made for: their documents are no pages.
const FIRST: [&str; 4] = ["barapi", "bindeo", "kabbage", "musement"];

const URLS: [&str; 8] = [
    "base_url",
    "issuer",
    "token_url",
    "authorization_url",
    "device_authorization_url",
    "revocation_url",
    "introspection_url",
    "userinfo_url",
];

/// What a placeholder must never take: each would leave its host or its segment.
const HOSTILE: [&str; 13] = [
    "evil.com/",
    "a@b",
    "..",
    "a..b",
    "%2f",
    "a b",
    "ä",
    "a#b",
    "a?b",
    "a:1",
    "a\\b",
    "{realm}",
    "-",
];

impl Documented {
    fn text(&self) -> &'static str {
        BUILT_IN.iter().find(|(name, _)| *name == self.name).unwrap().1
    }

    /// Its preset with what a profile has to say.
    fn layer(&self) -> Layer {
        let keys =
            self.keys.iter().filter(|(key, _)| !self.text().contains(&format!("\n{key} = ")));
        let keys = keys.map(|(key, value)| format!("{key} = {value:?}\n"));
        read_preset(self.name, &format!("{}{}", keys.collect::<String>(), self.text())).unwrap()
    }

    /// The file of a profile that is whole.
    fn profile(&self) -> String {
        let keys = self.keys.iter().map(|(key, value)| format!("{key} = {value:?}\n"));
        let keys = keys.collect::<String>();
        format!(
            "provider = {:?}\nclient_id = \"me\"\nclient_secret = {{ env = \"S\" }}\n{keys}",
            self.name
        )
    }

    /// The values that stand for its placeholders, the program's own filling aside.
    fn filled(&self, text: &str) -> String {
        let keys = [("tenant", "common")];
        let keys = keys.iter().chain(self.keys);
        keys.fold(text.to_owned(), |text, (key, value)| text.replace(&format!("{{{key}}}"), value))
    }
}

#[test]
fn every_preset_is_known_here_by_its_documentation() {
    let mut names: Vec<_> = DOCUMENTED.iter().map(|d| d.name).chain(FIRST).collect();
    names.sort_unstable();
    assert_eq!(BUILT_IN.iter().map(|(name, _)| *name).collect::<Vec<_>>(), names);
}

#[test]
fn every_url_is_https_and_at_a_host_of_its_provider() {
    for documented in DOCUMENTED {
        let name = documented.name;
        let table: toml::Table = documented.text().parse().unwrap();
        let of = |key: &str| {
            let own = documented.keys.iter().find(|(known, _)| *known == key);
            let own = own.map(|(_, value)| (*value).to_owned());
            own.or_else(|| Some(documented.filled(table.get(key)?.as_str()?)))
        };
        let base_url = of("base_url").unwrap_or_default();
        let mut hosts: Vec<String> = URLS
            .iter()
            .filter_map(|key| of(key))
            .map(|url| {
                let url = url.replace("{base_url}", &base_url);
                let url = if url.starts_with('/') { format!("{base_url}{url}") } else { url };
                assert!(url.starts_with("https://") && !url.contains(['{', '}']), "{name}: {url}");
                Url::parse(&url).unwrap().host_str().unwrap().to_owned()
            })
            .collect();
        hosts.sort_unstable();
        hosts.dedup();
        let mut expected = documented.hosts.to_vec();
        expected.sort_unstable();
        assert_eq!(hosts, expected, "{name}");
    }
}

#[test]
fn the_program_makes_the_same_of_it() {
    let dirs = Dirs { config: "/config".into(), data: "/data".into() };
    for documented in DOCUMENTED {
        let name = documented.name;
        let profile = Profile::new("x", &documented.layer(), &dirs).unwrap();
        let token = profile.endpoints.token.unwrap();
        assert_eq!(token.path(), documented.token, "{name}");
        let others = [
            profile.endpoints.authorization,
            profile.endpoints.device_authorization,
            profile.endpoints.revocation,
            profile.base_url,
        ];
        for url in others.into_iter().flatten().chain([token]) {
            assert!(documented.hosts.contains(&url.host_str().unwrap()), "{name}: {url}");
            assert!(!url.as_str().contains(['{', '}', '%']), "{name}: {url}");
        }
        assert!(!profile.issuer.is_some_and(|issuer| issuer.contains('{')), "{name}");
        let api_hosts = profile.api_hosts.unwrap_or_default();
        assert_eq!(api_hosts, documented.api_hosts, "{name}");
        // Slack alone wants its scopes parted by commas.
        let separator = if name == "slack" { "," } else { " " };
        assert_eq!(profile.request.scope_separator, separator, "{name}");
    }
}

#[test]
fn it_begins_with_a_short_description_and_the_page_it_comes_from_and_holds_no_client() {
    for Documented { name, .. } in DOCUMENTED {
        let text = BUILT_IN.iter().find(|(known, _)| known == name).unwrap().1;
        let table: toml::Table = text.parse().unwrap();
        let mut lines = text.lines();
        let title = lines.next().unwrap().strip_prefix("# ").unwrap();
        assert!(title.to_lowercase().starts_with(*name), "{name}: {title}");
        assert!(title.len() <= 80, "{name}: {title}");
        assert!(lines.next().unwrap().starts_with("# https://"), "{name}");
        for key in ["client_id", "client_secret", "username", "password", "scope"] {
            assert!(!table.contains_key(key), "{name}: {key}");
        }
    }
}

#[test]
fn show_tells_what_to_register_and_where() {
    let test = Test::new();
    for documented in DOCUMENTED {
        let show = test.words(&format!("provider show {}", documented.name)).run().success();
        let show = show.stdout_has(documented.console).stdout_has(documented.redirect_uri);
        let lines: Vec<_> = show.stdout.lines().collect();
        assert!(lines[0].starts_with("# ") && lines[1].starts_with("# https://"), "{show:?}");
        let table: toml::Table = show.stdout.parse().unwrap();
        match table.get("redirect_uri").and_then(|uris| uris.as_array()) {
            Some(uris) => assert_eq!(uris[0].as_str(), Some(documented.redirect_uri)),
            // The default: any port.
            None => assert!(ANY_PORT.starts_with(documented.redirect_uri), "{show:?}"),
        }
    }
}

#[test]
fn a_profile_built_on_it_is_whole() {
    for documented in DOCUMENTED {
        let test = Test::new().profile("x", &documented.profile());
        let dry = test.words("client-token -p x --dry-run").env("S", "s").run();
        if documented.machines {
            let dry = dry.success().stdout_has(&format!("POST {} HTTP/1.1\n", documented.token));
            assert!(!dry.stdout.contains(['{', '%']), "{dry:?}");
        } else {
            dry.fails_with(3).stderr_has("doesn't offer the grant client_credentials");
        }
        let import = test.words("login -p x --dry-run --refresh-token-stdin").env("S", "s");
        import.run().success().stdout_has("grant_type");
        let login = test.words("login -p x --dry-run").env("S", "s").run().success();
        login.stdout_has("GET https://").stdout_has("code_challenge_method=S256");
    }
}

#[test]
fn what_would_leave_its_place_in_a_url_is_exit_3() {
    for documented in DOCUMENTED {
        let keys = ["tenant", "domain", "realm"];
        let keys = keys.into_iter().filter(|key| documented.text().contains(&format!("{{{key}}}")));
        for key in keys {
            for hostile in HOSTILE {
                let test = Test::new();
                let add = ["profile", "add", "x", "--provider", documented.name];
                let add = test.args(add).args(["--set", &format!("{key}={hostile}")]).run();
                add.fails_with(3).stderr_has(&format!("{key} must be a name or a host"));
                assert!(!test.config().exists(), "{hostile}");
                let profile = format!("provider = {:?}\nclient_id = \"c\"\n", documented.name);
                let test = test.profile("x", &format!("{profile}{key} = {hostile:?}\n"));
                let run = test.words("client-token -p x").run().fails_with(3);
                run.stderr_has(&format!("x.toml:3: {key} must be a name or a host"));
                let set = test.args(["profile", "set", "x", key, "--", hostile]).run();
                set.fails_with(3);
            }
        }
    }
}

#[test]
fn what_is_missing_is_named_with_the_command_that_sets_it() {
    for (name, keys, first) in [
        ("okta", "domain, client_id", "domain"),
        ("keycloak", "base_url, realm, client_id", "base_url"),
        ("authentik", "base_url, client_id, client_secret", "base_url"),
    ] {
        let test = Test::new();
        let run = test.words(&format!("client-token -p {name}")).run().fails_with(3);
        run.stderr_has(&format!("error: the profile {name} lacks {keys}\n"))
            .stderr_has(&format!("hint: oauthctl profile set {name} {first} VALUE\n"));
    }
    let test = Test::new();
    test.words("profile set okta domain a.example").run().success();
    let dry = test.words("client-token -p okta --dry-run").env("OAUTHCTL_CLIENT_ID", "me");
    dry.run().success().stdout_has("POST /oauth2/default/v1/token HTTP/1.1\nHost: a.example\n");
    test.words("profile set okta domain --unset").run().success();
    let dry = test.words("client-token -p okta --dry-run").env("OAUTHCTL_CLIENT_ID", "me");
    dry.run().fails_with(3).stderr_has("hint: oauthctl profile set okta domain VALUE\n");
}

#[test]
fn the_environment_fills_no_placeholder() {
    let test = Test::new().env("OAUTHCTL_DOMAIN", "evil.example").env("OAUTHCTL_CLIENT_ID", "me");
    test.words("client-token -p okta").run().fails_with(3).stderr_has("lacks domain");
    let run = test.words("client-token").env("OAUTHCTL_PROVIDER", "okta").run().fails_with(3);
    run.stderr_has("oauthctl profile add NAME --provider PROVIDER --set domain=VALUE\n");
    let run = test.words("client-token").env("OAUTHCTL_TOKEN_URL", "https://{domain}/token").run();
    run.fails_with(3).stderr_has("OAUTHCTL_TOKEN_URL must not hold braces");
    // The whole URL is another matter: then nothing needs to be filled.
    let dry = test.words("client-token --dry-run").env("OAUTHCTL_PROVIDER", "okta");
    let dry = dry.env("OAUTHCTL_BASE_URL", "https://b.example/oauth2/x").run().success();
    dry.stdout_has("POST /oauth2/x/v1/token HTTP/1.1\nHost: b.example\n");
}

#[test]
fn braces_hold_nothing_but_placeholders() {
    for url in ["https://{domian}/", "https://{domain/", "https://a.example/}", "{base_url}/token"]
    {
        let profile = format!("client_id = \"c\"\ndomain = \"a.example\"\ntoken_url = {url:?}\n");
        let test = Test::new().profile("x", &profile);
        let run = test.words("client-token -p x").run().fails_with(3);
        run.stderr_has("x.toml:3: token_url may hold {tenant}, {domain} and {realm} in braces");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn at_a_terminal_what_stands_for_a_placeholder_is_asked_for_and_kept() {
    let test = Test::new();
    let terminal = test.words("profile add work --provider keycloak").terminal(100);
    let terminal = terminal.sees("base_url: ").types("https://b.example");
    let terminal = terminal.sees("realm: ").types("main").sees("client_id: ").types("me");
    terminal.ends().success();
    let written = std::fs::read_to_string(test.config().join("profiles/work.toml")).unwrap();
    assert_eq!(
        written,
        "provider = \"keycloak\"\nbase_url = \"https://b.example\"\nrealm = \"main\"\n\
         client_id = \"me\"\n"
    );
    drop(test.words("login -p okta").terminal(100).sees("domain: "));
}

/// Imports a refresh token into a profile that is built on a preset, at a server that answers so.
fn imported(preset: &str, more: &str, body: &'static str) -> (Test, RawServer) {
    let server = RawServer::start(move |_| answer(200, "application/json", body));
    let profile = format!(
        "provider = {preset:?}\nbase_url = {:?}\nclient_id = \"me\"\n{more}",
        server.url("")
    );
    let test = Test::new().profile("x", &profile);
    test.words("login -p x --refresh-token-stdin").stdin("old\n").run().success();
    (test, server)
}

fn scope(test: &Test) -> serde_json::Value {
    test.words("show -p x --json").run().success().json()[0]["scope"].clone()
}

#[test]
fn slacks_answer_for_a_user_is_read() {
    let (test, server) = imported(
        "slack",
        "",
        r#"{"ok":true,"access_token":"xoxp-1","token_type":"user","authed_user":{"id":"U1","scope":"chat:write,users:read"},"team":{"id":"T1"}}"#,
    );
    test.words("header -p x").run().success().stdout_is("Authorization: Bearer xoxp-1\n");
    assert_eq!(scope(&test), serde_json::json!(["chat:write", "users:read"]));
    assert!(server.requests()[0].starts_with("POST /api/oauth.v2.user.access HTTP/1.1\r\n"));
}

#[test]
fn slacks_refusal_with_status_200_is_exit_5() {
    let server = RawServer::start(|_| {
        answer(200, "application/json", r#"{"ok":false,"error":"invalid_refresh_token"}"#)
    });
    let profile =
        format!("provider = \"slack\"\nbase_url = {:?}\nclient_id = \"me\"\n", server.url(""));
    let test = Test::new().profile("x", &profile);
    let import = test.words("login -p x --refresh-token-stdin").stdin("old\n").run();
    import.fails_with(5).stderr_has("the server refused: invalid_refresh_token");
}

#[test]
fn githubs_scopes_are_parted_by_commas_and_its_token_has_no_end() {
    let (test, server) = imported(
        "github",
        "client_auth = \"none\"\n",
        r#"{"access_token":"gho_1","scope":"repo,gist","token_type":"bearer"}"#,
    );
    assert_eq!(scope(&test), serde_json::json!(["repo", "gist"]));
    let show = test.words("show -p x --json").run().success().json();
    assert_eq!(show[0]["status"], "unknown");
    assert!(server.requests()[0].starts_with("POST /login/oauth/access_token HTTP/1.1\r\n"));
}

#[test]
fn atlassian_is_asked_in_json() {
    let (test, server) = imported(
        "atlassian",
        "client_secret = { command = [\"echo\", \"s3cret\"] }\n",
        r#"{"access_token":"ey1","expires_in":3600,"scope":"read:jira-work"}"#,
    );
    assert_eq!(scope(&test), serde_json::json!(["read:jira-work"]));
    let requests = server.requests();
    let (head, body) = requests[0].split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /oauth/token HTTP/1.1\r\n"), "{head}");
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(body).unwrap(),
        serde_json::json!({
            "grant_type": "refresh_token",
            "client_id": "me",
            "client_secret": "s3cret",
            "refresh_token": "old",
        })
    );
}
