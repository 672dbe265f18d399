//! The presets in the source tree: providers as data.

/// A built-in preset: its name, and its text in the profile schema.
pub type Preset = (&'static str, &'static str);

/// Every built-in preset, by name.
pub const BUILT_IN: &[Preset] = &[
    ("barapi", include_str!("presets/barapi.toml")),
    ("bindeo", include_str!("presets/bindeo.toml")),
    ("kabbage", include_str!("presets/kabbage.toml")),
    ("musement", include_str!("presets/musement.toml")),
];

/// The text of the preset of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static str> {
    BUILT_IN.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}
