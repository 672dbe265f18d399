//! What is stored says which form it has: every form that ever was is read, and a newer one refused.
//!
//! The files in `tests/golden` were written once by the program that wrote that form, and stay as they
//! are. That each is what today's program writes is proved beside the code that writes it.

use std::fs;
use std::path::{Path, PathBuf};

use oauthctl::sandbox::Provider;
use oauthctl::store::file::FileStore;
use oauthctl::store::{EntryName, Place, Store};
use serde_json::{Value, json};

use super::support::{Test, write_private};

const FILES: [&str; 17] = [
    "README.md",
    "index-1.json",
    "index-2.json",
    "installation_id-0",
    "installation_id-1",
    "item-1-chunk-0.0",
    "item-1-chunk-0.1",
    "item-1-chunked",
    "item-1-whole",
    "journal-1-answer",
    "journal-1-intent",
    "key-0",
    "key-1",
    "record-1.json",
    "sealed-1",
    "secret-0",
    "secret-1",
];

fn golden(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)).unwrap()
}

/// A user whose DATA was written by programs of these forms of the key and of the index.
fn user_of(key: &str, index: &str) -> Test {
    let profile = "provider = \"bindeo\"\ntoken_url = \"https://id.example.com/token\"\n\
        client_id = \"client\"\nclient_secret = { env = \"NO_SECRET\" }\nusername = \"alice\"\n\
        scope = [\"read\"]\n[request]\nparams = { audience = \"https://api.example.com\" }\n";
    let test = Test::new().profile("work", profile).env("OAUTHCTL_PROFILE", "work");
    // Nothing of this may reach any server.
    let test = test.env("HTTPS_PROXY", "http://127.0.0.1:1").env("NO_SECRET", "hunter2hunter2");
    write_private(&test.data().join("key"), golden(key));
    write_private(&test.data().join("index/work@user.json"), golden(index));
    write_private(&test.data().join("tokens/work@user"), golden("sealed-1"));
    test
}

#[test]
fn no_golden_file_is_ever_dropped() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let files = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, FILES);
}

#[test]
fn a_session_of_every_form_is_read_as_it_was_written() {
    for key in ["key-0", "key-1"] {
        for index in ["index-1.json", "index-2.json"] {
            let test = user_of(key, index);
            let header = test.words("header").run().success().stderr_is("");
            header.stdout_is("Authorization: Bearer golden-access-token\n");
            let shown = test.words("show --reveal --json").run().success().json();
            let mut object = shown[0].clone();
            assert!(object["expires_in"].take().as_i64().unwrap() > 0);
            let expected = json!({
                "profile": "work", "provider": "bindeo", "identity": "user", "status": "valid",
                "grant_type": "password", "token_type": "Bearer", "scope": ["read", "write"],
                "obtained_at": "2025-06-15T15:06:40Z", "expires_at": "2100-01-01T00:00:00Z",
                "expires_in": null, "has_refresh_token": true, "subject": "alice", "store": "file",
                "access_token": "golden-access-token", "refresh_token": "golden-refresh-token",
                "id_token": "golden-id-token",
            });
            assert_eq!(object, expected);
            let files = ["key", "index/work@user.json", "tokens/work@user"];
            let now = files.map(|file| fs::read(test.data().join(file)).unwrap());
            assert!(now == [golden(key), golden(index), golden("sealed-1")], "a read wrote");
        }
    }
}

#[test]
fn an_answer_in_a_journal_of_every_form_finds_its_place() {
    for key in ["key-0", "key-1"] {
        let test = user_of(key, "index-1.json");
        let journal = test.data().join("journals/work@user.journal");
        write_private(&journal, golden("journal-1-answer"));
        let token = test.words("token --min-ttl 30000d").run().success();
        token.stdout_is("golden-new-access-token\n").stderr_has("serves on");
        assert!(!journal.exists());
        let line: Value =
            serde_json::from_slice(&fs::read(test.data().join("index/work@user.json")).unwrap())
                .unwrap();
        assert_eq!((&line["version"], &line["generation"]), (&json!(2), &json!(8)));
        let shown = test.words("show --reveal --json").run().success().json();
        assert_eq!(shown[0]["refresh_token"], "golden-new-refresh-token");
        assert_eq!(shown[0]["id_token"], "golden-id-token");
        assert_eq!(shown[0]["expires_at"], "2100-01-01T00:00:00Z");
        // An older form of the key stays: whoever wrote it can read on.
        assert_eq!(fs::read(test.data().join("key")).unwrap(), golden(key));
    }
}

#[test]
fn an_intent_in_a_journal_of_every_form_lets_the_present_token_serve() {
    let test = user_of("key-0", "index-1.json");
    let journal = test.data().join("journals/work@user.journal");
    write_private(&journal, golden("journal-1-intent"));
    let token = test.words("token --min-ttl 30000d").run().success();
    token.stdout_is("golden-access-token\n").stderr_has("an earlier renewal got no answer");
    assert_eq!(fs::read(&journal).unwrap(), golden("journal-1-intent"));
}

#[test]
fn a_client_secret_of_every_form_is_the_one_that_is_sent() {
    for form in ["secret-0", "secret-1"] {
        let lines = "client_secret = { store = true }\n";
        let test = Test::new().sandbox().variant("work", Provider::Standard, lines);
        let give = test.words("profile set work client_secret --stdin").stdin("x");
        give.run().success();
        store(&test).set(&EntryName::new("work", "secret"), &golden(form).into()).unwrap();
        test.words("client-token -p work").run().fails_with(5);
        // HTTP Basic: sandbox-client and `golden client/secret:1`, form-encoded.
        let sent = test.sent();
        let basic = "Basic c2FuZGJveC1jbGllbnQ6Z29sZGVuK2NsaWVudCUyRnNlY3JldCUzQTE=";
        assert!(sent.contains(basic), "{sent}");
    }
}

fn store(test: &Test) -> FileStore {
    let place = Place {
        data_dir: test.data(),
        timeout: std::time::Duration::from_secs(30),
        person: None,
        file_key: None,
        helper: None,
    };
    FileStore::open(&place).unwrap()
}

/// The names and kinds of all that a JSON text has in it.
fn shape(bytes: &[u8]) -> Vec<String> {
    fn walk(value: &Value, path: &str, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    walk(value, &format!("{path}.{name}"), found);
                }
            }
            other => found.push(format!("{path}: {}", kind(other))),
        }
    }
    fn kind(value: &Value) -> &'static str {
        match value {
            Value::String(_) => "text",
            Value::Number(_) => "number",
            Value::Bool(_) => "yes or no",
            Value::Array(_) => "list",
            Value::Null => "nothing",
            Value::Object(_) => "object",
        }
    }
    let mut found = Vec::new();
    walk(&serde_json::from_slice(bytes).unwrap(), "", &mut found);
    found.sort();
    found
}

#[test]
fn what_is_written_today_has_the_shape_of_the_newest_golden_files() {
    let test = Test::new().sandbox().env("OAUTHCTL_PROFILE", "bindeo");
    test.words("login --scope a").run().success();
    let read = |file: &str| fs::read(test.data().join(file)).unwrap();
    let key = String::from_utf8(read("key")).unwrap();
    let (newest, lengths) = (String::from_utf8(golden("key-1")).unwrap(), |text: &str| {
        text.split(' ').map(str::len).collect::<Vec<_>>()
    });
    assert_eq!(lengths(&key), lengths(&newest));
    assert_eq!(shape(&read("index/bindeo@user.json")), shape(&golden("index-2.json")));
    assert_eq!(read("tokens/bindeo@user")[..9], golden("sealed-1")[..9]);
    let record = store(&test).get(&EntryName::new("bindeo", "user")).unwrap().unwrap();
    // What a server or a profile need not give is not in it; nothing else is.
    let newest = shape(&golden("record-1.json"));
    for member in shape(record.expose()) {
        assert!(newest.contains(&member), "{member} is not in the newest golden file");
    }
    for member in [".version: number", ".generation: number", ".journal_key: text"] {
        assert!(shape(record.expose()).contains(&member.to_owned()), "{member}");
    }
}

#[test]
fn a_newer_form_is_refused_by_name_left_as_it_is_and_nothing_is_sent() {
    let newer: [(&str, &[u8], &str); 6] = [
        ("key", b"oauthctl key 2 whatever\n", "use the newer oauthctl"),
        ("tokens/standard@user", b"oauthctl\x02whatever comes", "log in again after: "),
        ("index/standard@user.json", b"{\"version\":3,\"sessions\":{}}", "log in again after: "),
        ("journals/standard@user.journal", b"octlj\0\0\0\x02", "log in again after: "),
        ("tokens/standard@secret", b"oauthctl\x02whatever comes", "use the newer oauthctl"),
        ("index/standard@secret.json", b"{\"version\":3}", "use the newer oauthctl"),
    ];
    for (file, content, advice) in newer {
        eprintln!("{file}");
        let test = Test::new().sandbox().env("OAUTHCTL_PROFILE", "standard");
        test.words("login").run().success();
        test.words("login -p bindeo").run().success();
        if file.contains("secret") {
            let set = test.words("profile set standard client_secret --stdin");
            set.stdin("client/secret:1").run().success();
        }
        let path: PathBuf = test.data().join(file);
        write_private(&path, content);
        let asked = test.asked(Provider::Standard);
        for words in ["refresh", "login"] {
            let told = test.words(words).run().fails_with(7);
            told.stderr_has(&format!("{} was written by a newer oauthctl", path.display()))
                .stderr_has("hint: use the newer oauthctl")
                .stderr_has(advice);
        }
        assert_eq!(test.asked(Provider::Standard), asked);
        assert_eq!(fs::read(&path).unwrap(), content);
        if file != "key" {
            test.words("header -p bindeo").prints_secrets().run().success();
        }
        if advice.starts_with("log in") {
            test.words("logout --local").run().success();
            test.words("login").run().success();
            test.words("refresh").run().success();
        }
    }
}

#[test]
fn a_record_of_a_newer_form_is_refused_by_name_whichever_store_has_it() {
    let test = Test::new().sandbox().env("OAUTHCTL_PROFILE", "standard");
    test.words("login").run().success();
    let record = b"{\"version\":2,\"sessions\":[]}".to_vec();
    store(&test).set(&EntryName::new("standard", "user"), &record.into()).unwrap();
    for words in ["header", "refresh", "login"] {
        let told = test.words(words).run().fails_with(7);
        told.stderr_has(
            "the entry standard@user in the file store was written by a newer oauthctl",
        )
        .stderr_has("oauthctl logout --local --profile standard");
    }
    let machine = test.words("client-token").prints_secrets().run().success();
    assert!(!machine.stdout.is_empty());
}

#[cfg(target_os = "linux")]
#[test]
fn an_id_of_every_form_finds_the_same_items_and_a_newer_one_is_refused() {
    use super::support::keyring::{self, Keyring};
    keyring::with(Keyring::Unlocked, || {
        let test = Test::new().sandbox().env("OAUTHCTL_PROFILE", "standard");
        let test = ["DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR"]
            .into_iter()
            .fold(test.env("OAUTHCTL_STORE", "keychain"), |test, name| {
                test.env(name, std::env::var_os(name).unwrap())
            });
        let id = test.data().join("installation_id");
        write_private(&id, golden("installation_id-0"));
        test.words("login").run().success();
        let header = test.words("header").prints_secrets().run().success().stdout;
        assert_eq!(fs::read(&id).unwrap(), golden("installation_id-0"));
        write_private(&id, golden("installation_id-1"));
        test.words("header").prints_secrets().run().success().stdout_is(&header);
        write_private(&id, "oauthctl installation 2 whatever\n");
        for words in ["header", "login", "logout"] {
            let told = test.words(words).run().fails_with(7);
            told.stderr_has(&format!("{} was written by a newer oauthctl", id.display()))
                .stderr_has("hint: use the newer oauthctl");
        }
        write_private(&id, golden("installation_id-0"));
        test.words("header").prints_secrets().run().success().stdout_is(&header);
    });
}
