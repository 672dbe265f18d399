//! What holds whatever stands in a profile, in DATA or in an answer, tried with hundreds at random.

mod lives;
mod tries;

use std::cell::RefCell;
use std::fs;
use std::path::Path;
use std::time::Duration;

use oauthctl::env::Env;
use oauthctl::error::{Error, Result, StoreFault};
use oauthctl::exchange::Exchange;
use oauthctl::exchange::retry::Pace;
use oauthctl::profile::Profile;
use oauthctl::profile::dirs::Dirs;
use oauthctl::profile::layer::{self, Layer, Origin};
use oauthctl::profile::schema;
use oauthctl::report::Silent;
use oauthctl::secret::Secret;
use oauthctl::session::vault::Vault;
use oauthctl::session::{Login, Obtained, Session, Want, Why};
use oauthctl::store::{Place, Store, file::FileStore};
use oauthctl::terms::{GrantType, Identity, StoreKind};
use oauthctl::token::MinTtl;
use oauthctl::wire::request::TokenRequest;
use oauthctl::wire::{HttpRequest, HttpResponse};
use proptest::prelude::*;

/// Stands in everything that must not be repeated.
const MARK: &str = "hunter2hunter2";

const PROFILE: &str = "token_url = \"https://as.example/token\"\nclient_id = \"c\"\n\
    client_auth = \"none\"\ngrants = [\"client_credentials\", \"password\", \"refresh_token\"]\n";

/// Nobody waits: time stands still.
struct AtOnce;

impl Pace for AtOnce {
    fn now(&self) -> Duration {
        Duration::ZERO
    }

    fn sleep(&self, _: Duration) {}

    fn chance(&self) -> f64 {
        0.0
    }
}

/// A configuration that writes nothing of its own and tries so many cases.
fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn read(text: &str) -> Result<Layer> {
    let file = Path::new("/profiles/a.toml");
    layer::read(schema::PROFILE, text, &|line| Origin::File(file.to_owned(), line), Some(file))
}

/// A profile, as a file could have it, becomes a profile or an error that names the file.
#[track_caller]
fn assert_read_or_refused(text: &str) {
    let dirs = Dirs { config: "/config".into(), data: "/data".into() };
    match read(text).map(|layer| Profile::new("a", &layer, &dirs)) {
        Ok(Ok(_) | Err(Error::Config(_))) => {}
        Err(Error::Config(error)) => {
            let shown = error.to_string();
            assert!(shown.starts_with("/profiles/a.toml"), "{shown}");
            assert!(!shown.contains(MARK), "{shown}");
            assert!(!shown.chars().any(char::is_control), "{shown:?}");
        }
        Ok(Err(other)) | Err(other) => panic!("{other:?}"),
    }
}

/// Where each session of a test lives.
struct World {
    home: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        Self { home: tempfile::tempdir().unwrap() }
    }

    fn data(&self) -> &Path {
        self.home.path()
    }

    fn place(&self) -> Place {
        Place {
            data_dir: self.data().to_owned(),
            timeout: Duration::from_secs(30),
            person: None,
            file_key: None,
            helper: None,
        }
    }

    /// Works with a session whose server answers with these, one after the other, and then well.
    fn session<T>(&self, answers: Vec<HttpResponse>, work: impl FnOnce(&Session<'_>) -> T) -> T {
        let answers = RefCell::new(answers);
        let transport = |_: &HttpRequest| {
            let mut answers = answers.borrow_mut();
            Ok(if answers.is_empty() { granted() } else { answers.remove(0) })
        };
        let dirs = Dirs { config: self.data().join("config"), data: self.data().to_owned() };
        let profile = Profile::new("a", &read(PROFILE).unwrap(), &dirs).unwrap();
        let vault = Vault::new(self.place(), Some(StoreKind::File), &Silent);
        work(&Session {
            profile: &profile,
            vault: &vault,
            exchange: &Exchange { transport: &transport, report: &Silent, pace: &AtOnce },
            env: &Env::of(&[]),
            report: &Silent,
            clock: &|| 1_000_000,
            timeout: Duration::from_secs(1),
            typed_secret: None,
        })
    }

    fn log_in(&self) {
        self.session(Vec::new(), log_in).unwrap();
    }

    fn file(&self, path: &str) -> std::path::PathBuf {
        self.data().join(path)
    }
}

fn log_in(session: &Session<'_>) -> Result<Obtained> {
    session.login(&mut || {
        Ok(Login {
            grant_type: GrantType::Password,
            request: TokenRequest::password("alice", Secret::from(MARK), &[]),
            username: Some("alice".to_owned()),
            refresh_token: None,
        })
    })
}

fn token(session: &Session<'_>, identity: Identity, why: Why<'_>) -> Result<Obtained> {
    session.token(identity, Want { min_ttl: MinTtl::Default, why, fallback: false })
}

fn answer(status: u16, body: &[u8]) -> HttpResponse {
    let content_type = Some("application/json".to_owned());
    HttpResponse { status, content_type, body: body.to_vec().into(), ..HttpResponse::default() }
}

fn granted() -> HttpResponse {
    let body = format!(
        "{{\"access_token\":\"a{MARK}\",\"refresh_token\":\"r{MARK}\",\"expires_in\":3600}}"
    );
    answer(200, body.as_bytes())
}

/// Bytes that are nothing, or nearly something: what was good, with a hole in it.
fn mutated(good: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let good_too = good.clone();
    let len = good.len();
    prop_oneof![
        any::<Vec<u8>>(),
        (0..len, any::<Vec<u8>>(), 0..len).prop_map(move |(at, patch, gone)| {
            let end = (at + gone).min(good.len());
            [&good[..at], &patch, &good[end..]].concat()
        }),
        (0..len, any::<u8>()).prop_map(move |(at, byte)| {
            let mut bytes = good_too.clone();
            bytes[at] = byte;
            bytes
        }),
    ]
}

/// A fault of the store that says what is wrong, and not what stood there.
#[track_caller]
fn assert_told(error: &Error, faults: &[StoreFault]) {
    let shown = format!("{} {error:?}", error.sentence());
    assert!(!shown.contains(MARK), "{shown}");
    match error {
        Error::Store(store) => assert!(faults.contains(&store.fault), "{shown}"),
        _ => panic!("{shown}"),
    }
}

const DAMAGED: [StoreFault; 3] = [StoreFault::Corrupt, StoreFault::Newer, StoreFault::WrongKey];

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn any_text_is_a_profile_or_a_clear_error(text in any::<String>()) {
        assert_read_or_refused(&text);
    }

    #[test]
    fn any_value_of_any_key_is_taken_or_refused(
        field in 0..schema::PROFILE.len(),
        value in prop_oneof![
            any::<String>().prop_map(|text| format!("{text:?}")),
            any::<i64>().prop_map(|number| number.to_string()),
            any::<f64>().prop_map(|number| format!("{number:?}")),
            any::<bool>().prop_map(|flag| flag.to_string()),
            "\\[(\"\\PC{0,9}\",?){0,3}\\]",
            "\\{ (env|file|store|command|\\PC) = (true|\"\\PC{0,9}\"|\\[\"\\PC{0,9}\"\\]) \\}",
            "1979-05-27(T07:32:00Z)?",
        ],
    ) {
        assert_read_or_refused(&format!("{} = {value}\n", schema::PROFILE[field].key));
    }

    #[test]
    fn a_profile_with_a_hole_in_it_is_a_profile_or_a_clear_error(
        bytes in mutated(format!("{PROFILE}client_secret = \"{MARK}\"\n").into_bytes()),
    ) {
        if let Ok(text) = String::from_utf8(bytes) {
            assert_read_or_refused(&text);
        }
    }
}

proptest! {
    #![proptest_config(cases(16))]

    #[test]
    fn whatever_a_server_answers_the_session_goes_on(
        status in prop_oneof![Just(200_u16), 100..600_u16],
        body in mutated(granted().body.expose().clone()),
    ) {
        let world = World::new();
        world.log_in();
        let answers = vec![answer(status, &body)];
        let renewed = world.session(answers, |session| token(session, Identity::User, Why::Forced));
        match renewed {
            Ok(_) | Err(Error::LoginRequired { .. } | Error::BadAnswer(_) | Error::Refused(_) | Error::Unavailable { .. }) => {}
            Err(other) => prop_assert!(false, "{other:?}"),
        }
        let next = world.session(Vec::new(), |session| token(session, Identity::User, Why::Forced));
        prop_assert!(next.is_ok(), "{:?}", next.err());
    }

    #[test]
    fn whatever_a_server_answers_to_a_login_the_next_one_works(
        status in prop_oneof![Just(200_u16), 100..600_u16],
        body in mutated(granted().body.expose().clone()),
    ) {
        let world = World::new();
        let first = world.session(vec![answer(status, &body)], log_in);
        if let Err(error) = first {
            prop_assert!(!format!("{} {error:?}", error.sentence()).contains(MARK), "{error:?}");
        }
        world.session(Vec::new(), log_in).unwrap();
        world.session(Vec::new(), |session| token(session, Identity::User, Why::Life)).unwrap();
    }

    #[test]
    fn a_damaged_entry_is_told_and_a_login_replaces_it(bytes in mutated(sealed_entry())) {
        let world = World::new();
        world.log_in();
        fs::write(world.file("key"), KEY).unwrap();
        fs::write(world.file("tokens/a@user"), bytes).unwrap();
        if let Err(error) = world.session(Vec::new(), |s| token(s, Identity::User, Why::Life)) {
            assert_told(&error, &DAMAGED);
        }
        // What another key sealed, or another version, only a logout forgets.
        if world.session(Vec::new(), log_in).is_err() {
            world.session(Vec::new(), |s| s.logout(&s.slot(Identity::User), false)).unwrap();
            world.session(Vec::new(), log_in).unwrap();
        }
    }

    #[test]
    fn a_record_that_makes_no_sense_is_told_and_a_login_replaces_it(bytes in mutated(record())) {
        let world = World::new();
        world.log_in();
        let name = world.session(Vec::new(), |session| session.slot(Identity::User).name());
        let store = FileStore::open(&world.place()).unwrap();
        store.set(&name, &bytes.into()).unwrap();
        match world.session(Vec::new(), |s| token(s, Identity::User, Why::Life)) {
            Ok(_) | Err(Error::LoginRequired { .. }) => {}
            Err(error) => assert_told(&error, &DAMAGED),
        }
        if let Err(error) = world.session(Vec::new(), log_in) {
            assert_told(&error, &[StoreFault::Newer]);
        }
    }

    #[test]
    fn a_damaged_index_is_told(bytes in mutated(index())) {
        let world = World::new();
        world.log_in();
        fs::write(world.file("index/a@user.json"), bytes).unwrap();
        match world.session(Vec::new(), |s| token(s, Identity::User, Why::Life)) {
            Ok(_) | Err(Error::LoginRequired { .. }) => {}
            Err(error) => {
                let faults = [StoreFault::Corrupt, StoreFault::Newer, StoreFault::Elsewhere(StoreKind::Keychain)];
                assert_told(&error, &faults);
            }
        }
    }

    #[test]
    fn a_journal_of_any_bytes_stops_nobody(bytes in any::<Vec<u8>>(), magic in any::<bool>()) {
        let world = World::new();
        world.log_in();
        let start: &[u8] = if magic { b"octlj\0\0\0\x01" } else { b"" };
        fs::create_dir_all(world.file("journals")).unwrap();
        fs::write(world.file("journals/a@user.journal"), [start, &bytes].concat()).unwrap();
        let renewed = world.session(Vec::new(), |s| token(s, Identity::User, Why::Forced));
        prop_assert!(renewed.is_ok(), "{:?}", renewed.err());
    }

    #[test]
    fn a_key_of_any_bytes_opens_nothing_and_is_told(bytes in any::<Vec<u8>>()) {
        let world = World::new();
        world.log_in();
        fs::write(world.file("key"), bytes).unwrap();
        for identity in [Identity::User, Identity::Client] {
            if let Err(error) = world.session(Vec::new(), |s| token(s, identity, Why::Life)) {
                assert_told(&error, &DAMAGED);
            } else {
                prop_assert!(identity == Identity::Client);
            }
        }
    }
}

/// The key of the entry below.
const KEY: [u8; 32] = [7; 32];

/// An entry as it lies on the disk, sealed with that key.
fn sealed_entry() -> Vec<u8> {
    let world = World::new();
    world.log_in();
    fs::write(world.file("key"), KEY).unwrap();
    let name = world.session(Vec::new(), |session| session.slot(Identity::User).name());
    FileStore::open(&world.place()).unwrap().set(&name, &record().into()).unwrap();
    fs::read(world.file("tokens/a@user")).unwrap()
}

/// A record as a store keeps it.
fn record() -> Vec<u8> {
    let world = World::new();
    world.log_in();
    let name = world.session(Vec::new(), |session| session.slot(Identity::User).name());
    FileStore::open(&world.place()).unwrap().get(&name).unwrap().unwrap().expose().clone()
}

/// An index as it lies on the disk.
fn index() -> Vec<u8> {
    let world = World::new();
    world.log_in();
    fs::read(world.file("index/a@user.json")).unwrap()
}

#[test]
fn a_generation_beyond_which_there_is_none_makes_nothing_panic() {
    let world = World::new();
    world.log_in();
    let text = format!(
        "{{\"version\":1,\"store\":\"file\",\"generation\":{0},\"tombstone\":{0}}}",
        u64::MAX
    );
    fs::write(world.file("index/a@user.json"), text).unwrap();
    world.session(Vec::new(), |s| token(s, Identity::User, Why::Forced)).unwrap_err();
    world.session(Vec::new(), log_in).unwrap();
}

#[test]
fn a_profile_that_is_nested_without_end_is_a_clear_error() {
    for (open, close) in [("[", "]"), ("{a=", "}"), ("a.", "")] {
        let depth = 100_000;
        assert_read_or_refused(&format!("scope = {}1{}", open.repeat(depth), close.repeat(depth)));
        assert_read_or_refused(&format!("{}a = 1", open.repeat(depth)));
    }
}
