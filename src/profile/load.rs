//! Finds the files of a profile and lays its layers over each other.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::layer::{self, Layer, Origin};
use super::presets;
use super::schema::{self, Field, Value, check_name, nearest_word};
use crate::env::Env;
use crate::error::{ConfigError, Error, Result};

/// No configuration file is larger; whatever is, is none of ours.
const MAX_FILE: u64 = 1 << 20;

/// A preset may build on another, and that on a third; nobody needs more.
const MAX_INHERITANCE: usize = 8;

/// Where configuration and data live.
#[derive(Debug, Clone)]
pub struct Dirs {
    /// Profiles, presets and settings, written by people.
    pub config: PathBuf,
    /// Tokens, locks and journals, written by this program.
    pub data: PathBuf,
}

impl Dirs {
    /// The platform's directories, unless flag or environment name others. None needs to exist.
    pub fn find(env: &Env, config_dir: Option<&Path>) -> Result<Self> {
        let config = config_dir
            .map(Path::to_owned)
            .or_else(|| env.os("OAUTHCTL_CONFIG_DIR").map(PathBuf::from));
        let data = env.os("OAUTHCTL_DATA_DIR").map(PathBuf::from);
        if let (Some(config), Some(data)) = (&config, &data) {
            return Ok(Self { config: absolute(config)?, data: absolute(data)? });
        }
        let platform = directories::ProjectDirs::from("", "", "oauthctl").ok_or_else(|| {
            Error::config("no home directory is known: set HOME, or OAUTHCTL_CONFIG_DIR and OAUTHCTL_DATA_DIR")
        })?;
        Ok(Self {
            config: absolute(&config.unwrap_or_else(|| platform.config_dir().to_owned()))?,
            data: absolute(&data.unwrap_or_else(|| platform.data_local_dir().to_owned()))?,
        })
    }

    /// The file of a profile.
    #[must_use]
    pub fn profile(&self, name: &str) -> PathBuf {
        self.config.join("profiles").join(format!("{name}.toml"))
    }

    /// The file of a preset of the user's own.
    #[must_use]
    pub fn provider(&self, name: &str) -> PathBuf {
        self.config.join("providers").join(format!("{name}.toml"))
    }

    /// The file of the settings.
    #[must_use]
    pub fn settings(&self) -> PathBuf {
        self.config.join("config.toml")
    }
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path)
        .map_err(|error| Error::io(format!("can't find {}", path.display()), error))
}

/// Reads a file of the configuration; `None` where there is none.
pub fn read_file(path: &Path) -> Result<Option<String>> {
    let fault = |message: String| {
        Error::Config(ConfigError {
            message,
            file: Some(path.to_owned()),
            ..ConfigError::default()
        })
    };
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error)
            if matches!(
                error.kind(),
                std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(fault(format!("can't be read: {error}"))),
    };
    // Room for any ordinary profile at once: each further read is a system call.
    let mut bytes = Vec::with_capacity(4096);
    file.take(MAX_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| fault(format!("can't be read: {error}")))?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(fault("is larger than 1 MiB".to_owned()));
    }
    String::from_utf8(bytes).map(Some).map_err(|_| fault("is not valid UTF-8".to_owned()))
}

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

/// The layer of a preset, the user's own before a built-in one, with all that it builds on.
pub fn preset(dirs: &Dirs, name: &str) -> Result<Option<Layer>> {
    inherit(dirs, name, MAX_INHERITANCE, false)
}

fn inherit(dirs: &Dirs, name: &str, depth: usize, built_in: bool) -> Result<Option<Layer>> {
    if depth == 0 {
        return Err(Error::config(format!("the presets that {name} builds on never end")));
    }
    let own = if built_in { None } else { read_layer(schema::PROFILE, &dirs.provider(name))? };
    let Some(upper) = own
        .map(Ok)
        .or_else(|| presets::find(name).map(|text| read_preset(name, text)))
        .transpose()?
    else {
        return Ok(None);
    };
    let Some(base) = upper.text("provider") else { return Ok(Some(upper)) };
    // A user's preset may refine the built-in one of the same name.
    let Some(mut lower) = inherit(dirs, base, depth - 1, base == name)? else {
        return Err(unknown_provider(dirs, base));
    };
    lower.overlay(upper);
    Ok(Some(lower))
}

/// Reads a built-in preset.
pub fn read_preset(name: &str, text: &str) -> Result<Layer> {
    layer::read(schema::PROFILE, text, &|_| Origin::Preset(name.to_owned()), None)
}

/// The names of the files in a directory of the configuration, sorted.
#[must_use]
pub fn names_in(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            entry.file_name().into_string().ok()?.strip_suffix(".toml").map(str::to_owned)
        })
        .filter(|name| check_name(name).is_ok())
        .collect();
    names.sort();
    names
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

fn unknown_provider(dirs: &Dirs, name: &str) -> Error {
    let names = provider_names(dirs);
    let known: Vec<&str> = names.iter().map(String::as_str).collect();
    Error::config(format!("there is no provider preset named {name}{}", nearest_word(name, &known)))
}

/// The profile to use: which one, and its layers.
#[derive(Debug)]
pub struct Found {
    /// Its name; `env` where the environment alone makes it.
    pub name: String,
    /// The file it came from, if any.
    pub file: Option<PathBuf>,
    /// All layers over each other.
    pub layer: Layer,
}

/// The variables that make a profile by themselves, and their keys.
const ENDPOINT_VARIABLES: &[(&str, &str)] = &[
    ("OAUTHCTL_PROVIDER", "provider"),
    ("OAUTHCTL_BASE_URL", "base_url"),
    ("OAUTHCTL_ISSUER", "issuer"),
    ("OAUTHCTL_TOKEN_URL", "token_url"),
];

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
    let path = dirs.profile(name);
    let file = read_layer(schema::PROFILE, &path)?;
    let endpoints = environment(env, ENDPOINT_VARIABLES)?;
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
    let named_like_preset = if nothing_known || (!has_file && upper.text("provider").is_none()) {
        preset(dirs, name)?
    } else {
        None
    };
    if nothing_known && named_like_preset.is_none() {
        return Err(unknown_profile(dirs, name));
    }
    let mut layer = match (upper.text("provider"), named_like_preset) {
        (Some(provider), _) => {
            preset(dirs, provider)?.ok_or_else(|| unknown_provider(dirs, provider))?
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
    Ok(Found { name: name.to_owned(), file: has_file.then_some(path), layer })
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

type Variables = Vec<(&'static str, Layer)>;

fn environment(env: &Env, variables: &[(&'static str, &'static str)]) -> Result<Variables> {
    let mut layers = Vec::new();
    for &(variable, key) in variables {
        let Some(text) = env.text(variable)? else { continue };
        let mut layer = Layer::default();
        layer.set(key, from_text(key, &text, variable)?, Origin::Environment(variable));
        layers.push((variable, layer));
    }
    Ok(layers)
}

/// The credentials and choices that the environment supplies for whichever profile.
fn credentials(env: &Env) -> Result<Layer> {
    const VARIABLES: &[(&str, &str)] = &[
        ("OAUTHCTL_AS", "identity"),
        ("OAUTHCTL_SCOPE", "scope"),
        ("OAUTHCTL_MIN_TTL", "min_ttl"),
        ("OAUTHCTL_CLIENT_ID", "client_id"),
        ("OAUTHCTL_USERNAME", "username"),
    ];
    const SECRETS: &[(&str, &str)] =
        &[("OAUTHCTL_CLIENT_SECRET", "client_secret"), ("OAUTHCTL_PASSWORD", "password")];
    let mut all = Layer::default();
    for (_, layer) in environment(env, VARIABLES)? {
        all.overlay(layer);
    }
    for &(variable, key) in SECRETS {
        if env.os(variable).is_some() {
            let source = schema::SecretSource::Env(variable.to_owned());
            all.set(key, Value::Secret(source), Origin::Environment(variable));
        }
    }
    Ok(all)
}

/// Reads the text of a flag or a variable as the value of a key; lists are separated by blanks or commas.
pub fn from_text(key: &str, text: &str, from: &str) -> Result<Value> {
    let Some(field) = layer::field_of(schema::PROFILE, key) else {
        return Err(Error::config(layer::unknown_key(schema::PROFILE, key)));
    };
    let list =
        || text.split([' ', ',']).filter(|word| !word.is_empty()).map(str::to_owned).collect();
    let value = match field.kind {
        schema::Kind::Scopes => field
            .kind
            .list(text.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()),
        schema::Kind::Words(_) | schema::Kind::Hosts => field.kind.list(list()),
        schema::Kind::Flag => match text {
            "true" => field.kind.flag(true),
            "false" => field.kind.flag(false),
            _ => Err("must be true or false".to_owned()),
        },
        schema::Kind::Seconds => match text.parse() {
            Ok(number) => field.kind.number(number),
            Err(_) => Err("must be a whole number of seconds".to_owned()),
        },
        kind if kind.is_table() => {
            let name = key
                .strip_prefix(field.key)
                .and_then(|rest| rest.strip_prefix('.'))
                .unwrap_or_default();
            kind.entry(name, text)
        }
        kind => kind.text(text),
    };
    value.map_err(|what| Error::config(format!("{from} {what}")))
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
