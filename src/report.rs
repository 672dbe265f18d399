//! What the layers below the command line tell a person while they work.

/// The ear of a person: warnings, notes, and the story that `-v` asks for.
///
/// Whoever calls it has removed every secret from the text.
pub trait Report {
    /// Something went differently than asked, but the result stands.
    fn warn(&self, message: &str);

    /// Something a person should know once.
    fn note(&self, message: &str);

    /// A step of the work, shown from `level` times `-v` on (1 to 3).
    ///
    /// The text is made only when somebody listens.
    fn trace(&self, level: u8, message: &dyn Fn() -> String);
}

/// Listens to nothing.
pub struct Silent;

impl Report for Silent {
    fn warn(&self, _: &str) {}
    fn note(&self, _: &str) {}
    fn trace(&self, _: u8, _: &dyn Fn() -> String) {}
}
