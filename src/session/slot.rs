//! A slot: the place of one cached token set, and the names that it goes by.

use std::path::{Path, PathBuf};

use ring::digest;

use crate::store::EntryName;
use crate::terms::Identity;

/// The place of one cached token set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// The profile it belongs to.
    pub profile: String,
    /// Whose token it holds.
    pub identity: Identity,
    part: String,
}

impl Slot {
    /// The slot of a person's tokens.
    #[must_use]
    pub fn user(profile: &str) -> Self {
        Self { profile: profile.to_owned(), identity: Identity::User, part: "user".to_owned() }
    }

    /// The slot of a machine token: each set of scopes and each audience has its own.
    #[must_use]
    pub fn client(profile: &str, scope: &[String], audience: Option<&str>) -> Self {
        let mut scope: Vec<&str> = scope.iter().map(String::as_str).collect();
        scope.sort_unstable();
        scope.dedup();
        let text = format!("{}\n{}", scope.join(" "), audience.unwrap_or_default());
        let hash = digest::digest(&digest::SHA256, text.as_bytes());
        let part = hash
            .as_ref()
            .iter()
            .take(8)
            .fold("client-".to_owned(), |part, byte| format!("{part}{byte:02x}"));
        Self { profile: profile.to_owned(), identity: Identity::Client, part }
    }

    /// The slot that goes by this name; `None` where it is the name of no slot.
    #[must_use]
    pub fn from_name(name: &EntryName) -> Option<Self> {
        let (profile, part) = name.as_str().split_once('@')?;
        let identity = match part {
            "user" => Identity::User,
            _ if part.starts_with("client-") => Identity::Client,
            _ => return None,
        };
        Some(Self { profile: profile.to_owned(), identity, part: part.to_owned() })
    }

    /// The name of its entry in a store, and of its files.
    #[must_use]
    pub fn name(&self) -> EntryName {
        EntryName::new(&self.profile, &self.part)
    }

    /// Its file in a directory of the data.
    #[must_use]
    pub fn file(&self, data_dir: &Path, directory: &str, ending: &str) -> PathBuf {
        file(data_dir, directory, &self.name(), ending)
    }
}

/// The file of an entry in a directory of the data.
#[must_use]
pub fn file(data_dir: &Path, directory: &str, name: &EntryName, ending: &str) -> PathBuf {
    data_dir.join(directory).join(format!("{}.{ending}", name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_slots_differ_by_scope_set_and_audience_alone() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let slot = Slot::client("a", &words("x y"), None);
        assert_eq!(slot, Slot::client("a", &words("y x y"), None));
        assert_ne!(slot, Slot::client("a", &words("x"), None));
        assert_ne!(slot, Slot::client("a", &words("x y"), Some("api")));
        assert_ne!(slot, Slot::client("b", &words("x y"), None));
        assert_eq!(Slot::from_name(&slot.name()), Some(slot));
        assert_eq!(Slot::from_name(&EntryName::new("a", "secret")), None);
    }
}
