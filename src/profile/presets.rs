//! The presets in the source tree: providers as data.

/// A built-in preset: its name, and its text in the profile schema.
pub type Preset = (&'static str, &'static str);

macro_rules! presets {
    ($($name:literal,)*) => { &[$(($name, include_str!(concat!("presets/", $name, ".toml")))),*] };
}

/// Every built-in preset, by name.
pub const BUILT_IN: &[Preset] = presets! {
    "atlassian",
    "auth0",
    "authentik",
    "barapi",
    "bindeo",
    "bitbucket",
    "discord",
    "dropbox",
    "github",
    "gitlab",
    "google",
    "kabbage",
    "keycloak",
    "linkedin",
    "microsoft",
    "musement",
    "okta",
    "ory",
    "salesforce",
    "slack",
    "spotify",
    "zitadel",
    "zoom",
};

/// The text of the preset of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static str> {
    BUILT_IN.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}
