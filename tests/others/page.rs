//! The page that ends a login, as a browser shows it.

use std::env;
use std::path::Path;

use super::oidc_provider::CLIENT;
use super::{Maker, Person, World};
use crate::support::browser::Visit;

/// Everybody can read the page, on any screen, and nothing of the login is left on it.
#[track_caller]
fn everybody_can_read(person: &Person, visit: &Visit, name: &str, heading: &str, said: &str) {
    for scheme in ["light", "dark"] {
        person.prefers(scheme);
        let page = person.finds(include_str!("page.js"));
        assert_eq!(page["dark"], scheme == "dark", "{page}");
        assert!(page["contrast"].as_f64().unwrap() >= 4.5, "{page}");
        assert!(page["smallest"].as_f64().unwrap() >= 16.0, "{page}");
        assert_eq!(page["language"], "en");
        assert_eq!(page["headings"], serde_json::json!([heading]));
        assert_eq!(page["title"], format!("{heading} - oauthctl"));
        assert_eq!(page["landmarks"], 1);
        assert!(page["said"].as_str().unwrap().contains(said), "{page}");
        assert_eq!(page["fetched"], serde_json::json!([]));
        assert_eq!(page["address"], "/callback");
        for secret in ["state", "nonce", "code_challenge"].map(|name| visit.maybe(name)) {
            let source = page["source"].as_str().unwrap();
            assert!(!secret.is_some_and(|secret| source.contains(&secret)), "{source}");
        }
        if let Some(pictures) = env::var_os("OAUTHCTL_TEST_PICTURES") {
            person.takes_a_picture(&Path::new(&pictures).join(format!("{name}-{scheme}.png")));
        }
    }
    person.is_on_a_screen_of(320);
    person.waits_for("document.documentElement.clientWidth === 320");
    let page = person.finds(include_str!("page.js"));
    assert!(page["wider"].as_i64().unwrap() <= 0, "{page}");
    if let Some(pictures) = env::var_os("OAUTHCTL_TEST_PICTURES") {
        person.takes_a_picture(&Path::new(&pictures).join(format!("{name}-narrow.png")));
    }
}

#[test]
fn everybody_can_read_that_it_worked() {
    let Some(world) = World::of(Maker::OidcProvider) else { return };
    let test = world.user(&format!("{CLIENT}scope = [\"openid\"]\n"));
    let person = world.person();
    let login = test.words("login").start();
    let visit = test.opens();
    person.opens(visit.url.as_str());
    person.logs_in("grace");
    login.ends().success();
    everybody_can_read(&person, &visit, "success", "You are logged in", "This tab can be closed.");
}

#[test]
fn everybody_can_read_that_it_did_not_work_and_why() {
    let Some(world) = World::of(Maker::OidcProvider) else { return };
    let test = world.user(&format!("{CLIENT}scope = [\"openid\"]\n"));
    let person = world.person();
    let login = test.words("login").start();
    let visit = test.opens();
    person.opens(visit.url.as_str());
    person.presses("a[href$='/abort']");
    person.reads("The login did not work");
    login.ends().fails_with(5);
    everybody_can_read(&person, &visit, "failure", "The login did not work", "access_denied");
    person.reads("This tab can be closed");
}
