//! Keychains as they are, as a user sees each of their states: a clear answer in time, exit 7 and a
//! hint that fits, and never a move to another store, or a logout, that nobody asked for.

mod away;
mod edited;
mod person;
mod store_step;

use oauthctl::sandbox::{Counts, Provider};

use super::support::Test;

fn counts(test: &Test) -> Counts {
    test.server().counts(Provider::Standard)
}

fn journal(test: &Test) -> std::path::PathBuf {
    test.data().join("journals/standard@user.journal")
}

/// The session is what it was: its token is served from the keychain, and it can be renewed.
#[track_caller]
fn assert_session_lives(test: &Test) {
    let token = format!("{}\n", test.access_token());
    test.words("token").prints_secrets().run().success().stdout_is(&token).stderr_is("");
    test.words("refresh").run().success();
    assert_eq!(counts(test).reuse, 0);
    assert!(!test.data().join("tokens").exists(), "something moved to a file");
}
