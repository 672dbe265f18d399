//! Sessions in a keychain: the id by which their items are found, and the items themselves.

use std::fs;
use std::time::Duration;

use oauthctl::secret::Secret;
use oauthctl::store::keychain::KeychainStore;
use oauthctl::store::{EntryName, Place, Store};

use super::{
    DAMAGES, Thing, aside, assert_session_lives, assert_told, follow, header_of_the_other, hint,
};
use crate::support::keyring::{self, Keyring};
use crate::support::{Test, write_private};

/// A user with a session in the keyring of this process, and another one in a file.
fn at_keyring() -> Test {
    let test = Test::new().sandbox().env("OAUTHCTL_PROFILE", "standard").env("OAUTHCTL_STORE", "");
    let test = ["DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR"]
        .into_iter()
        .fold(test, |test, name| test.env(name, std::env::var_os(name).unwrap()));
    test.words("login -p bindeo --store file").run().success();
    test.words("login --store keychain").run().success();
    test
}

fn store(test: &Test) -> KeychainStore {
    let place = Place {
        data_dir: test.data(),
        timeout: Duration::from_secs(30),
        person: None,
        file_key: None,
        helper: None,
    };
    KeychainStore::open(&place).unwrap()
}

#[test]
fn a_damaged_id_is_told_and_never_replaced_and_finds_all_when_it_is_restored() {
    keyring::with(Keyring::Unlocked, || {
        for damage in &DAMAGES {
            eprintln!("{}", damage.name);
            let test = at_keyring();
            let id = test.data().join("installation_id");
            let kept = fs::read(&id).unwrap();
            (damage.apply)(&id);
            let broken = Thing::at(&id);
            for words in ["header", "refresh", "login", "logout --local"] {
                let told = assert_told(test.words(words).run(), &id);
                assert_eq!(hint(&told), format!("mv {} {}", id.display(), aside(&id).display()));
            }
            header_of_the_other(&test);
            assert_eq!(Thing::at(&id), broken);
            let told = assert_told(test.words("header").run(), &id);
            follow(&test, &told);
            assert_eq!(Thing::at(&aside(&id)), broken);
            if damage.name == "flipped" {
                let gone = test.words("header").run().fails_with(4);
                gone.stderr_has("its entry is gone from the token store");
                test.words("login").run().success();
            } else {
                write_private(&id, kept);
            }
            assert_session_lives(&test);
        }
    });
}

#[test]
fn a_damaged_item_is_told_and_replaced_by_the_login_which_says_so() {
    keyring::with(Keyring::Unlocked, || {
        let test = at_keyring();
        let name = EntryName::new("standard", "user");
        for bytes in [&b"by hand"[..], b"", b"{\"version\":1}", b"\xff\xfe"] {
            store(&test).set(&name, &Secret::new(bytes.to_vec())).unwrap();
            let told = test.words("header").run().fails_with(7).stderr_has("standard@user");
            assert_eq!(hint(&told), "oauthctl login --profile standard");
            header_of_the_other(&test);
            let login = follow(&test, &told);
            login.stderr_has("is damaged; it is replaced\n");
            assert_session_lives(&test);
        }
        store(&test).set(&name, &Secret::new(b"{\"version\":2}".to_vec())).unwrap();
        for words in ["header", "refresh", "login"] {
            test.words(words).run().fails_with(7).stderr_has("newer oauthctl (form 2)");
        }
    });
}

#[test]
fn a_login_into_the_keychain_sets_aside_the_broken_entry_that_it_leaves() {
    keyring::with(Keyring::Unlocked, || {
        let test = at_keyring();
        let path = test.data().join("tokens/bindeo@user");
        fs::write(&path, "broken").unwrap();
        let wrong = test.words("login -p bindeo --store keychain --password-stdin");
        wrong.stdin("wrong").run().fails_with(5);
        assert_eq!(fs::read(&path).unwrap(), b"broken");
        let login = test.words("login -p bindeo --store keychain").run().success();
        login.stderr_has(&format!("it is set aside as {}\n", aside(&path).display()));
        assert_eq!(fs::read(aside(&path)).unwrap(), b"broken");
        header_of_the_other(&test);
    });
}
