//! Where configuration and data live, and how their files are read.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::check::check_name;
use crate::env::Env;
use crate::error::{ConfigError, Error, Result};

/// No configuration file is larger; whatever is, is none of ours.
const MAX_FILE: u64 = 1 << 20;

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
    let mut options = std::fs::OpenOptions::new();
    options.read(true);
    // A pipe in its place is never waited for.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(
        &mut options,
        rustix::fs::OFlags::NONBLOCK.bits().cast_signed(),
    );
    let file = match options.open(path) {
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
    let mut bytes = Vec::with_capacity(2048);
    file.take(MAX_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| fault(format!("can't be read: {error}")))?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(fault("is larger than 1 MiB".to_owned()));
    }
    String::from_utf8(bytes).map(Some).map_err(|_| fault("is not valid UTF-8".to_owned()))
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
