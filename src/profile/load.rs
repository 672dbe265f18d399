//! Finds the files of a profile and lays its layers over each other.

use std::path::Path;

use super::check::{check_name, nearest_word};
use super::dirs::{Dirs, names_in, read_file};
use super::environment::{ENDPOINT_VARIABLES, credentials, variables};
use super::layer::{self, Layer, Origin};
use super::presets;
use super::schema::{self, Field, Value};
use crate::env::Env;
use crate::error::{ConfigError, Error, Result};

/// A preset may build on another, and that on a third; nobody needs more.
const MAX_INHERITANCE: usize = 8;

/// Reads a file of the configuration as a layer; `None` where there is none.
pub fn read_layer(schema: &[Field], path: &Path) -> Result<Option<Layer>> {
    let Some(text) = read_file(path)? else { return Ok(None) };
    let origin = |line| Origin::File(path.to_owned(), line);
    layer::read(schema, &text, &origin, Some(path)).map(Some)
}

/// What the user has settled for all profiles, in config.toml.
pub fn settings(dirs: &Dirs) -> Result<Layer> {
    Ok(read_layer(schema::SETTINGS, &dirs.settings())?.unwrap_or_default())
}

/// A preset, with all that it builds on.
#[derive(Debug)]
pub struct Preset {
    /// Its keys.
    pub layer: Layer,
    /// The comment at its head, or at that of what it builds on: what a person must know of the provider.
    pub notes: String,
}

/// The layer of a preset, the user's own before a built-in one, with all that it builds on.
pub fn preset(dirs: &Dirs, name: &str) -> Result<Option<Layer>> {
    Ok(noted_preset(dirs, name)?.map(|preset| preset.layer))
}

/// A preset as [`preset`] finds it, with what it says to people.
pub fn noted_preset(dirs: &Dirs, name: &str) -> Result<Option<Preset>> {
    inherit(dirs, name, MAX_INHERITANCE, false)
}

fn inherit(dirs: &Dirs, name: &str, depth: usize, built_in: bool) -> Result<Option<Preset>> {
    if depth == 0 {
        return Err(Error::config(format!("the presets that {name} builds on never end")));
    }
    let path = dirs.provider(name);
    let own = if built_in { None } else { read_file(&path)? };
    let upper = match (own, presets::find(name)) {
        (Some(text), _) => {
            let origin = |line| Origin::File(path.clone(), line);
            let layer = layer::read(schema::PROFILE, &text, &origin, Some(&path))?;
            Preset { layer, notes: notes(&text) }
        }
        (None, Some(text)) => Preset { layer: read_preset(name, text)?, notes: notes(text) },
        (None, None) => return Ok(None),
    };
    let Some(base) = upper.layer.text("provider") else { return Ok(Some(upper)) };
    // A user's preset may refine the built-in one of the same name.
    let Some(mut lower) = inherit(dirs, base, depth - 1, base == name)? else {
        let placed = upper.layer.get("provider").map(|entry| entry.origin.clone());
        return Err(unknown_provider(dirs, base, placed));
    };
    lower.layer.overlay(upper.layer);
    if !upper.notes.is_empty() {
        lower.notes = upper.notes;
    }
    Ok(Some(lower))
}

/// The lines of comment with which a preset begins.
fn notes(text: &str) -> String {
    text.lines().take_while(|line| line.starts_with('#')).flat_map(|line| [line, "\n"]).collect()
}

/// Reads a built-in preset.
pub fn read_preset(name: &str, text: &str) -> Result<Layer> {
    layer::read(schema::PROFILE, text, &|_| Origin::Preset(name.to_owned()), None)
}

/// The names of all profiles that have a file.
#[must_use]
pub fn profile_names(dirs: &Dirs) -> Vec<String> {
    names_in(&dirs.config.join("profiles"))
}

/// The names of all presets, built in or the user's own.
#[must_use]
pub fn provider_names(dirs: &Dirs) -> Vec<String> {
    let mut names = names_in(&dirs.config.join("providers"));
    names.extend(presets::BUILT_IN.iter().map(|(name, _)| (*name).to_owned()));
    names.sort();
    names.dedup();
    names
}

fn unknown_provider(dirs: &Dirs, name: &str, placed: Option<Origin>) -> Error {
    let names = provider_names(dirs);
    let known: Vec<&str> = names.iter().map(String::as_str).collect();
    let (file, line) = match placed {
        Some(Origin::File(file, line)) => (Some(file), Some(line)),
        _ => (None, None),
    };
    Error::Config(ConfigError {
        message: format!("there is no provider preset named {name}{}", nearest_word(name, &known)),
        file,
        line,
        missing: None,
    })
}

/// The profile to use: which one, and its layers.
#[derive(Debug)]
pub struct Found {
    /// Its name; `env` where the environment alone makes it.
    pub name: String,
    /// All layers over each other.
    pub layer: Layer,
}

/// The name of the profile that the environment alone makes.
pub const ENV_PROFILE: &str = "env";

/// Chooses the profile: flag, `OAUTHCTL_PROFILE`, `default_profile`, then the environment alone.
pub fn choose(dirs: &Dirs, env: &Env, flag: Option<&str>, settings: &Layer) -> Result<String> {
    let checked = |name: String, from: &str| match check_name(&name) {
        Ok(()) => Ok(name),
        Err(what) => Err(Error::config(format!("the profile's name in {from} {what}"))),
    };
    if let Some(name) = flag {
        return checked(name.to_owned(), "--profile");
    }
    if let Some(name) = env.text("OAUTHCTL_PROFILE")? {
        return checked(name, "OAUTHCTL_PROFILE");
    }
    if let Some(name) = settings.text("default_profile") {
        return Ok(name.to_owned());
    }
    if ENDPOINT_VARIABLES.iter().any(|(variable, _)| env.os(variable).is_some()) {
        return Ok(ENV_PROFILE.to_owned());
    }
    Err(Error::Config(ConfigError {
        message: match profile_names(dirs).as_slice() {
            [] => "no profile is named, and there is none yet".to_owned(),
            names => format!("no profile is named; there are: {}", names.join(", ")),
        },
        missing: Some("profile"),
        ..ConfigError::default()
    }))
}

/// Finds a profile's files and lays preset, file and environment over each other.
pub fn find(dirs: &Dirs, env: &Env, name: &str) -> Result<Found> {
    let file = read_layer(schema::PROFILE, &dirs.profile(name))?;
    let endpoints = variables(env, ENDPOINT_VARIABLES)?;
    if let (Some(_), Some((variable, _))) = (&file, endpoints.first()) {
        return Err(Error::config(format!(
            "{variable} is set, but the profile {name} has a file, which alone says where its secrets go; unset {variable}, or name a profile without a file"
        )));
    }
    let has_file = file.is_some();
    let redirecting = endpoints
        .iter()
        .map(|(variable, _)| *variable)
        .find(|variable| *variable != "OAUTHCTL_PROVIDER");
    let mut upper = file.unwrap_or_default();
    for (_, layer) in endpoints {
        upper.overlay(layer);
    }
    let nothing_known = !has_file && upper == Layer::default();
    let named_like_preset =
        if has_file || upper.text("provider").is_some() { None } else { preset(dirs, name)? };
    if nothing_known && named_like_preset.is_none() {
        return Err(unknown_profile(dirs, name));
    }
    let mut layer = match (upper.text("provider"), named_like_preset) {
        (Some(provider), _) => {
            let placed = || upper.get("provider").map(|entry| entry.origin.clone());
            preset(dirs, provider)?.ok_or_else(|| unknown_provider(dirs, provider, placed()))?
        }
        (None, Some(mut layer)) => {
            layer.set("provider", Value::Text(name.to_owned()), Origin::Preset(name.to_owned()));
            layer
        }
        (None, None) => Layer::default(),
    };
    if let Some(variable) = redirecting
        && let Some(key) =
            ["client_secret", "password"].iter().find(|key| layer.secret(key).is_some())
    {
        return Err(Error::config(format!(
            "{variable} is set, but the profile {name} builds on a preset with a {key}, which alone says where that goes; unset {variable}"
        )));
    }
    layer.overlay(upper);
    layer.overlay(credentials(env)?);
    Ok(Found { name: name.to_owned(), layer })
}

fn unknown_profile(dirs: &Dirs, name: &str) -> Error {
    let mut names = profile_names(dirs);
    let message = if names.is_empty() {
        format!("there is no profile named {name}, nor any other")
    } else {
        format!("there is no profile named {name}; there are: {}", names.join(", "))
    };
    names.extend(provider_names(dirs));
    let known: Vec<&str> = names.iter().map(String::as_str).collect();
    Error::Config(ConfigError {
        message: format!("{message}{}", nearest_word(name, &known)),
        missing: Some("profile"),
        ..ConfigError::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Profile;
    use crate::terms::{ClientAuthMethod, GrantType, Identity};

    /// A configuration of its own, which goes with the first member.
    struct World(#[allow(dead_code)] tempfile::TempDir, Dirs);

    fn world() -> World {
        let temporary = tempfile::tempdir().unwrap();
        let dirs =
            Dirs { config: temporary.path().join("config"), data: temporary.path().join("data") };
        for name in ["profiles", "providers"] {
            std::fs::create_dir_all(dirs.config.join(name)).unwrap();
        }
        World(temporary, dirs)
    }

    impl World {
        fn profile(&self, name: &str, text: &str) -> &Self {
            std::fs::write(self.1.profile(name), text).unwrap();
            self
        }

        fn load(&self, env: &[(&str, &str)], name: &str) -> Result<Profile> {
            let found = find(&self.1, &Env::of(env), name)?;
            Profile::new(&found.name, &found.layer, &self.1)
        }

        fn error(&self, env: &[(&str, &str)], name: &str) -> String {
            self.load(env, name).unwrap_err().to_string()
        }
    }

    #[test]
    fn a_presets_name_is_a_profile_by_itself() {
        let profile = world().load(&[("OAUTHCTL_CLIENT_ID", "me")], "bindeo").unwrap();
        assert_eq!(
            profile.endpoints.token.unwrap().as_str(),
            "https://api.bindeo.com/access_token"
        );
        assert_eq!(profile.client_id.as_deref(), Some("me"));
        assert_eq!(profile.provider.as_deref(), Some("bindeo"));
    }

    #[test]
    fn the_path_of_base_url_is_kept() {
        let world = world();
        world.profile("a", "provider = \"bindeo\"\nbase_url = \"http://127.0.0.1:9/x\"\n");
        let profile = world.load(&[], "a").unwrap();
        assert_eq!(profile.endpoints.token.unwrap().as_str(), "http://127.0.0.1:9/x/access_token");
    }

    #[test]
    fn environment_beats_profile_beats_preset() {
        let world = world();
        world.profile(
            "a",
            "provider = \"bindeo\"\nclient_id = \"file\"\nclient_auth = \"client_secret_basic\"\n",
        );
        let profile = world.load(&[], "a").unwrap();
        assert_eq!(profile.client_id.as_deref(), Some("file"));
        assert_eq!(profile.client_auth(), ClientAuthMethod::ClientSecretBasic);
        let profile =
            world.load(&[("OAUTHCTL_CLIENT_ID", "env"), ("OAUTHCTL_AS", "client")], "a").unwrap();
        assert_eq!(profile.client_id.as_deref(), Some("env"));
        assert_eq!(profile.identity(), Identity::Client);
    }

    #[test]
    fn the_environment_alone_makes_a_profile_but_never_moves_one_that_has_a_file() {
        let world = world();
        let env = [("OAUTHCTL_TOKEN_URL", "https://a.example/t"), ("OAUTHCTL_CLIENT_SECRET", "s")];
        let name = choose(&world.1, &Env::of(&env), None, &Layer::default()).unwrap();
        assert_eq!(name, ENV_PROFILE);
        let profile = world.load(&env, &name).unwrap();
        assert!(
            profile.allows(GrantType::ClientCredentials) && !profile.allows(GrantType::Password)
        );
        assert_eq!(profile.identity(), Identity::Client);
        world.profile("a", "provider = \"bindeo\"\n");
        assert!(world.error(&env, "a").contains("OAUTHCTL_TOKEN_URL"));
    }

    #[test]
    fn an_error_names_the_file_the_line_and_the_nearest_right_name() {
        let world = world();
        world.profile("a", "provider = \"bindeo\"\nclient_idd = \"x\"\n");
        let error = world.error(&[], "a");
        assert!(
            error.contains("profiles/a.toml:2: unknown key client_idd; did you mean client_id?"),
            "{error}"
        );
        world.profile("a", "[request]\nmethod = \"PSOT\"\n");
        assert!(
            world
                .error(&[], "a")
                .contains("a.toml:2: request.method must be one of POST, GET; did you mean POST?")
        );
        world.profile("a", "method = \"POST\"\n");
        assert!(world.error(&[], "a").contains("did you mean request.method?"));
        world.profile("a", "token_url = \"http://a.example/\"\n");
        assert!(world.error(&[], "a").contains("a.toml:1: token_url must be an https URL"));
        world.profile("a", "provider = \"bindo\"\n");
        assert!(world.error(&[], "a").contains("did you mean bindeo?"));
        world.profile("a", "provider = \"kabbage\"\n");
        assert!(world.error(&[], "a").contains("base_url"));
    }

    #[test]
    fn a_secret_in_the_wrong_place_is_not_repeated() {
        let world = world();
        for text in [
            "client_secret = \"hunter2\"",
            "client_secret = { value = \"hunter2\" }",
            "client_auth = \"hunter2\"",
            "scope = \"hunter2\"",
            "client_secret = hunter2",
            "client_secret = \"hunter2",
            "request.params = { client_secret = \"hunter2\" }",
            "api_hosts = [\"hunter2/\"]",
        ] {
            world.profile("a", text);
            assert!(!world.error(&[], "a").contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn a_users_preset_may_refine_the_built_in_one_and_loops_end() {
        let world = world();
        std::fs::write(world.1.provider("bindeo"), "provider = \"bindeo\"\nclient_id = \"ours\"\n")
            .unwrap();
        assert_eq!(world.load(&[], "bindeo").unwrap().client_id.as_deref(), Some("ours"));
        std::fs::write(world.1.provider("x"), "provider = \"y\"\n").unwrap();
        std::fs::write(world.1.provider("y"), "provider = \"x\"\n").unwrap();
        world.profile("a", "provider = \"x\"\n");
        assert!(world.error(&[], "a").contains("never end"));
    }

    #[test]
    fn what_the_environment_supplies_is_a_source_until_it_is_needed() {
        let profile = world().load(&[("OAUTHCTL_CLIENT_SECRET", "hunter2")], "bindeo").unwrap();
        assert!(!format!("{profile:?}").contains("hunter2"));
    }
}
