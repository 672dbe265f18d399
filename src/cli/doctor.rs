mod data;

use std::path::{Path, PathBuf};

use super::context::{Context, now, print};
use crate::error::{Error, Result};
use crate::http::Transport;
use crate::output::json;
use crate::output::table::{Cell, Table, Tone};
use crate::profile::Profile;
use crate::profile::dialect::{Format, Method};
use crate::profile::dirs::names_in;
use crate::profile::layer::Layer;
use crate::profile::load;
use crate::profile::schema::SecretSource;
use crate::wire::HttpRequest;

/// Check configuration, store, clock, TLS and reach, and say what to do
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Findings are the result, not a failure: the exit code is 0, and --json has each one's status.

Examples:
  oauthctl doctor
  oauthctl doctor --profile bindeo --json")]
pub(super) struct Args {
    /// Print an array of objects
    #[arg(long)]
    json: bool,
}

/// What was looked at, and what was found.
#[derive(Debug, serde::Serialize)]
struct Finding {
    check: &'static str,
    status: Status,
    message: String,
    /// What to do about it.
    advice: Option<String>,
}

#[derive(Debug, Clone, Copy, serde::Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Ok,
    Warning,
    Error,
}

impl Finding {
    fn ok(check: &'static str, message: impl Into<String>) -> Self {
        Self { check, status: Status::Ok, message: message.into(), advice: None }
    }

    fn warning(check: &'static str, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            check,
            status: Status::Warning,
            message: message.into(),
            advice: Some(advice.into()),
        }
    }

    fn error(check: &'static str, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { check, status: Status::Error, message: message.into(), advice: Some(advice.into()) }
    }
}

impl Args {
    pub(super) fn run(&self, context: &Context) -> anyhow::Result<()> {
        let mut findings = configuration(context);
        findings.extend(permissions(context));
        findings.extend(data::stores(context)?);
        findings.extend(data::files(context));
        findings.push(curl(context));
        match context.profile_name().and_then(|name| in_use(context, &name)) {
            Ok((profile, issuer)) => {
                let is_known = profile.endpoints.token.is_some() || issuer.is_none();
                findings.extend(issuer);
                // What the issuer didn't tell is no fault of the profile.
                if is_known {
                    findings.extend(server(context, &profile));
                }
            }
            Err(error) => findings.push(Finding::warning(
                "profile",
                error.to_string(),
                "name one with --profile to check its server",
            )),
        }
        if self.json {
            return Ok(print(json::document(&findings).expose())?);
        }
        let mut table = Table::new(["CHECK", "STATUS", "FINDING", "WHAT TO DO"]);
        for finding in &findings {
            let status = match finding.status {
                Status::Ok => Cell::new("ok").tone(Tone::Good),
                Status::Warning => Cell::new("warning").tone(Tone::Warning),
                Status::Error => Cell::new("error").tone(Tone::Bad),
            };
            table.row([
                finding.check.into(),
                status,
                finding.message.as_str().into(),
                finding.advice.as_deref().unwrap_or_default().into(),
            ]);
        }
        Ok(print(table.render(context.layout()).as_bytes())?)
    }
}

/// Every file of the configuration, each by itself.
fn configuration(context: &Context) -> Vec<Finding> {
    let dirs = &context.dirs;
    let mut findings = Vec::new();
    if let Err(error) = load::settings(dirs) {
        let advice = format!("edit {}", dirs.settings().display());
        findings.push(Finding::error("config", error.to_string(), advice));
    }
    let profiles = load::profile_names(dirs);
    for name in &profiles {
        if let Err(error) = context.profile_named(name, Layer::default()) {
            findings.push(Finding::error(
                "config",
                format!("profile {name}: {error}"),
                format!("oauthctl profile edit {name}"),
            ));
        }
    }
    for name in names_in(&dirs.config.join("providers")) {
        if let Err(error) = load::preset(dirs, &name) {
            findings.push(Finding::error(
                "config",
                format!("preset {name}: {error}"),
                format!("edit {}", dirs.provider(&name).display()),
            ));
        }
    }
    if findings.is_empty() {
        findings.push(Finding::ok(
            "config",
            format!(
                "{}: {} profile{}",
                dirs.config.display(),
                profiles.len(),
                if profiles.len() == 1 { "" } else { "s" }
            ),
        ));
    }
    findings
}

/// Whatever this program keeps for itself is nobody else's to read.
#[cfg(unix)]
fn permissions(context: &Context) -> Vec<Finding> {
    use std::os::unix::fs::MetadataExt;
    let mut open: Vec<PathBuf> = Vec::new();
    let mut look = vec![context.dirs.data.clone()];
    while let Some(path) = look.pop() {
        let Ok(metadata) = std::fs::symlink_metadata(&path) else { continue };
        if metadata.mode() & 0o077 != 0 && !metadata.is_symlink() {
            open.push(path.clone());
        }
        if metadata.is_dir() {
            look.extend(
                std::fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()),
            );
        }
    }
    match open.first() {
        None => vec![Finding::ok(
            "permissions",
            format!("{}: only its owner can read it", context.dirs.data.display()),
        )],
        Some(first) => vec![Finding::error(
            "permissions",
            format!(
                "{} of the files can be read by others, {} among them",
                open.len(),
                first.display()
            ),
            format!("chmod -R go= {}", context.dirs.data.display()),
        )],
    }
}

#[cfg(not(unix))]
fn permissions(_: &Context) -> Vec<Finding> {
    Vec::new()
}

fn curl(context: &Context) -> Finding {
    let path = context.env.os("PATH").unwrap_or_default();
    let name = format!("curl{}", std::env::consts::EXE_SUFFIX);
    match std::env::split_paths(&path)
        .map(|directory| directory.join(&name))
        .find(|path| path.is_file())
    {
        Some(path) => Finding::ok("curl", path.display().to_string()),
        None => Finding::warning(
            "curl",
            "curl is not on PATH, and oauthctl curl needs it",
            "install curl",
        ),
    }
}

/// The profile in use, and whether its issuer says where its endpoints are.
fn in_use(context: &Context, name: &str) -> Result<(Profile, Option<Finding>)> {
    let mut found = context.find(name, Layer::default())?;
    let finding = match context.discover_anew(&mut found) {
        Ok(None) => None,
        Ok(Some(known)) => {
            let keys = known.metadata.endpoints.iter().map(|(key, _)| *key);
            let keys = keys.chain(known.metadata.jwks_uri.as_ref().map(|_| "jwks_url"));
            let keys: Vec<_> = keys.map(|key| key.trim_end_matches("_url")).collect();
            let message =
                format!("{} tells its endpoints: {}", known.metadata.issuer, keys.join(", "));
            Some(Finding::ok("discovery", message))
        }
        Err(error @ (Error::Network { .. } | Error::Unavailable { .. })) => {
            let Finding { message, advice, .. } = unreachable(&error);
            Some(Finding { check: "discovery", status: Status::Error, message, advice })
        }
        Err(Error::BadAnswer(message)) => Some(Finding::error(
            "discovery",
            message,
            format!(
                "compare the issuer with what the provider says: oauthctl profile show {name}; where it has no metadata, oauthctl profile set {name} token_url URL"
            ),
        )),
        Err(error) => return Err(error),
    };
    Ok((Profile::new(&found.name, &found.layer, &context.dirs)?, finding))
}

/// The profile in use, and the way to its server.
fn server(context: &Context, profile: &Profile) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (key, source) in
        [("client_secret", &profile.client_secret), ("password", &profile.password)]
    {
        if let Some(problem) = source.as_ref().and_then(|source| unopened(context, source)) {
            findings.push(Finding::error(
                "profile",
                format!("{key} of {}: {problem}", profile.name),
                format!("oauthctl profile show {}", profile.name),
            ));
        }
    }
    if profile.request.format == Format::Query {
        findings.push(Finding::warning(
            "profile",
            format!("{} takes its secrets in the URL, which servers and proxies log", profile.name),
            "this is the provider's design: keep its secrets to itself, and change them now and then",
        ));
    }
    let Some(endpoint) = &profile.endpoints.token else {
        findings.push(Finding::error(
            "profile",
            format!("{} has no token_url", profile.name),
            format!("oauthctl profile set {} token_url URL", profile.name),
        ));
        return findings;
    };
    let request = HttpRequest {
        method: Method::Get,
        endpoint: endpoint.clone(),
        query: None,
        headers: Vec::new(),
        body: None,
    };
    let answer =
        context.with_transport(profile, |transport: &dyn Transport| transport.send(&request));
    let authority = crate::wire::transcript::authority(endpoint);
    match answer {
        Ok(response) => {
            findings.push(Finding::ok(
                "reach",
                format!("{authority} answers with status {}", response.status),
            ));
            if endpoint.scheme() == "https" {
                findings.push(Finding::ok("tls", "the server's certificate is trusted"));
            }
            findings.push(clock(response.date.as_deref()));
        }
        Err(error) => findings.push(unreachable(&error)),
    }
    findings
}

/// Why a source can't be opened, as far as that can be told without opening it.
fn unopened(context: &Context, source: &SecretSource) -> Option<String> {
    match source {
        SecretSource::Env(name) => {
            context.env.os(name).is_none().then(|| format!("the variable {name} is not set"))
        }
        SecretSource::File(path) => {
            (!Path::new(path).is_file()).then(|| format!("there is no file {path}"))
        }
        SecretSource::Command(_) | SecretSource::Store => None,
    }
}

fn unreachable(error: &Error) -> Finding {
    let message = error.sentence();
    if message.contains("certificate") || message.contains("TLS") {
        let advice = "where a company's own authority signs, name it with ca_file in the profile, or with SSL_CERT_FILE";
        return Finding::error("tls", message, advice);
    }
    let advice = "check the network, the proxy's variables and the URL: oauthctl profile show";
    Finding::error("reach", message, advice)
}

/// The server's clock against ours: tokens live by both.
fn clock(date: Option<&str>) -> Finding {
    const TOLERABLE: i64 = 60;
    let parsed = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
    match parsed.map(|date| date.timestamp().as_second() - now()) {
        None => Finding::warning(
            "clock",
            "the server told no time",
            "compare your clock with another server's",
        ),
        Some(skew) if skew.abs() <= TOLERABLE => {
            Finding::ok("clock", "within a minute of the server's")
        }
        Some(skew) => {
            let side = if skew > 0 { "behind" } else { "ahead of" };
            Finding::error(
                "clock",
                format!("{} s {side} the server's", skew.abs()),
                "set the clock, or let a time service do it: tokens look fresh or expired at the wrong time",
            )
        }
    }
}
