//! The kernel store on the real kernel: its keys as `keyctl` sees them, other users, quotas, sandboxes.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::{child, installed};
use oauthctl::error::StoreFault;
use oauthctl::store::kernel::KernelStore;
use oauthctl::store::{Store, installation_id};
use rustix::process::{Uid, geteuid};
use rustix::thread::set_thread_res_uid;

use tempfile::TempDir;

use super::{fault, keeps_the_contract, place, read, secret, user};

/// A user who has nothing, and few rights.
const NOBODY: u32 = 65534;

fn open(data_dir: &Path) -> KernelStore {
    KernelStore::open(&place(data_dir)).unwrap()
}

/// Whether this can be tested here. Where not, it is said, and not captured: that must be seen.
fn skips(what: &str, is_there: bool) -> bool {
    if !is_there {
        let _ = writeln!(io::stderr(), "skipped: it needs {what}");
    }
    !is_there
}

/// A home for a DATA directory, whose keys go when it does.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let store = open(self.path());
        for name in store.names().unwrap_or_default() {
            let _ = store.delete(&name);
        }
    }
}

fn skips_without_keys() -> bool {
    let home = Home::new();
    skips("a kernel with keys, and leave to use them", open(home.path()).get(&user("a")).is_ok())
        || skips("keyutils", installed("keyctl"))
}

/// Whether what is long can't be tested, as only root may have so many bytes of keys.
fn skips_without_room() -> bool {
    skips_without_keys() || skips("root, for a quota above 1 MB", geteuid().is_root())
}

/// The description of an entry's key.
fn description(data_dir: &Path, name: &str) -> String {
    format!("oauthctl:{}:{name}", installation_id(data_dir).unwrap())
}

fn keyctl(words: &[&str]) -> Output {
    Command::new("keyctl").args(words).output().unwrap()
}

/// What `keyctl` prints.
#[track_caller]
fn told(words: &[&str]) -> String {
    let output = keyctl(words);
    assert!(output.status.success(), "{words:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The serial number of an entry's key, as another program finds it.
#[track_caller]
fn serial(data_dir: &Path, name: &str) -> String {
    told(&["search", "@u", "user", &description(data_dir, name)])
}

#[test]
fn the_kernel_keeps_the_contract() {
    if skips_without_room() {
        return;
    }
    keeps_the_contract(&|data_dir| Box::new(open(data_dir)));
}

#[test]
fn an_entry_is_a_key_of_the_users_keyring_for_the_user_alone_without_an_end() {
    if skips_without_keys() {
        return;
    }
    let home = Home::new();
    let store = open(home.path());
    store.set(&user("a"), &secret(b"value")).unwrap();
    let key = serial(home.path(), "a@user");
    assert_eq!(told(&["print", &key]), "=value");
    let me = geteuid().as_raw();
    let described = told(&["rdescribe", &key]);
    assert!(described.starts_with(&format!("user;{me};")), "{described}");
    assert!(described.contains(";003f0000;"), "{described}");
    let list = std::fs::read_to_string("/proc/keys").unwrap();
    let id: i64 = key.parse().unwrap();
    let line = list.lines().find(|line| line.starts_with(&format!("{id:08x} "))).unwrap();
    assert!(line.contains(" perm "), "{line}");

    // It is changed in its place, and so by any process of the user that knows it.
    store.set(&user("a"), &secret(b"next")).unwrap();
    assert_eq!(serial(home.path(), "a@user"), key);
    assert_eq!(told(&["print", &key]), "=next");
    store.delete(&user("a")).unwrap();
    assert!(
        !keyctl(&["search", "@u", "user", &description(home.path(), "a@user")]).status.success()
    );
}

/// Has a child of the test run by another program.
fn behind(wrapper: &[&str], child: &mut Command) {
    let mut outer = Command::new(wrapper[0]);
    outer.args(&wrapper[1..]).arg(child.get_program()).env_clear();
    outer.envs(child.get_envs().filter_map(|(name, value)| Some((name, value?))));
    *child = outer;
}

/// The home that the parent lends to its child.
fn lent() -> PathBuf {
    std::env::var_os("TEST_HOME").unwrap().into()
}

#[test]
fn a_session_that_does_not_possess_the_key_uses_it_as_well() {
    if skips_without_keys() {
        return;
    }
    let home = Home::new();
    let is_parent = child::run(
        1,
        |_, child| {
            open(home.path()).set(&user("a"), &secret(b"value")).unwrap();
            // As a service has it: a keyring of the session's own, without the user's keyring in it.
            behind(&["keyctl", "session", "-"], child);
            child.env("TEST_HOME", home.path());
        },
        || {
            let store = open(&lent());
            let key = serial(&lent(), "a@user");
            assert_eq!(told(&["show", "@s"]).lines().count(), 2, "the session has keys");
            assert_eq!(told(&["print", &key]), "=value");
            assert_eq!(read(&store, &user("a")).unwrap(), b"value");
            store.set(&user("a"), &secret(b"changed")).unwrap();
            store.set(&user("b"), &secret(b"made here")).unwrap();
            assert_eq!(store.names().unwrap().len(), 2);
            store.delete(&user("a")).unwrap();
        },
    );
    if is_parent {
        let store = open(home.path());
        assert_eq!(read(&store, &user("a")), None);
        assert_eq!(read(&store, &user("b")).unwrap(), b"made here");
        store.delete(&user("b")).unwrap();
    }
}

#[test]
fn another_user_who_inherits_the_session_reads_nothing() {
    if skips_without_keys() || skips("root", geteuid().is_root()) {
        return;
    }
    let home = Home::new();
    open(home.path()).set(&user("a"), &secret(b"value")).unwrap();
    let key = serial(home.path(), "a@user");
    let name = format!("oauthctl-test:{}", std::process::id());
    let open_to_possessors = told(&["add", "user", &name, "value", "@u"]);
    let script = format!(
        "keyctl link @u @s && setpriv --reuid {NOBODY} --clear-groups sh -c \
         'keyctl print {open_to_possessors}; keyctl print {key}'"
    );
    let output = keyctl(&["session", "-", "sh", "-c", &script]);
    // The one key shows that the other user possesses both.
    assert_eq!(String::from_utf8_lossy(&output.stdout), "value\n", "{output:?}");
    let denied = String::from_utf8_lossy(&output.stderr).contains("Permission denied");
    assert!(denied && !output.status.success(), "{output:?}");
    told(&["unlink", &open_to_possessors, "@u"]);
    open(home.path()).delete(&user("a")).unwrap();
}

#[test]
fn a_quota_that_is_used_up_is_told_and_the_old_value_stays() {
    if skips_without_keys() || skips("root", geteuid().is_root()) {
        return;
    }
    child::run(
        1,
        |_, _| (),
        || {
            // Root may have many keys; this thread becomes somebody who may not.
            let nobody = Uid::from_raw(NOBODY);
            let became = set_thread_res_uid(nobody, nobody, nobody);
            if skips("leave to become another user", became.is_ok()) {
                return;
            }
            let home = Home::new();
            let store = open(home.path());
            store.set(&user("a"), &secret(b"value")).unwrap();
            let limit = |name: &str| {
                let limit = std::fs::read_to_string(format!("/proc/sys/kernel/keys/{name}"));
                limit.unwrap().trim().to_owned()
            };
            let (bytes, keys) = (limit("maxbytes"), limit("maxkeys"));
            for length in [bytes.parse().unwrap(), 100_000_000] {
                let error = store.set(&user("a"), &secret(&vec![7; length])).unwrap_err();
                let said = error.to_string();
                assert!(said.starts_with("the kernel takes no more keys of this user: "), "{said}");
                assert!(said.contains(&format!(" of {bytes} bytes and ")), "{said}");
                assert!(said.ends_with(&format!(" of {keys} keys are in use")), "{said}");
                assert_eq!(fault::<()>(Err(error)), StoreFault::Full);
                assert_eq!(read(&store, &user("a")).unwrap(), b"value");
            }
            // What did not fit is not there in part.
            assert_eq!(store.names().unwrap(), [user("a")]);
            store.delete(&user("a")).unwrap();
            let left = std::fs::read_to_string("/proc/keys").unwrap();
            assert!(!left.contains(&description(home.path(), "a@user#")), "{left}");
        },
    );
}

#[test]
fn a_key_that_somebody_revoked_or_gave_an_end_is_told_and_replaced() {
    if skips_without_room() {
        return;
    }
    let home = Home::new();
    let store = open(home.path());
    for (spoil, told_by_us) in [
        ("revoke", "somebody revoked the kernel's key of a@user"),
        ("timeout", "the kernel's key of a@user has expired: somebody gave it an end"),
    ] {
        for value in [b"value".to_vec(), vec![7; 100_000]] {
            store.set(&user("a"), &secret(&value)).unwrap();
            let key = serial(home.path(), "a@user");
            if spoil == "revoke" {
                told(&["revoke", &key]);
            } else {
                told(&["timeout", &key, "1"]);
                while keyctl(&["print", &key]).status.success() {
                    std::thread::sleep(std::time::Duration::from_millis(50));
                }
            }
            let error = store.get(&user("a")).unwrap_err();
            assert_eq!(error.to_string(), told_by_us);
            assert_eq!(fault::<()>(Err(error)), StoreFault::Corrupt);
            assert_eq!(store.names().unwrap(), []);
            store.set(&user("a"), &secret(b"new")).unwrap();
            assert_eq!(read(&store, &user("a")).unwrap(), b"new");
            told(&["revoke", &serial(home.path(), "a@user")]);
            store.delete(&user("a")).unwrap();
            store.set(&user("a"), &secret(b"again")).unwrap();
            store.delete(&user("a")).unwrap();
            assert_eq!(read(&store, &user("a")), None);
        }
    }
}

#[test]
fn what_another_wrote_is_damaged_and_a_denied_key_is_denied() {
    if skips_without_keys() {
        return;
    }
    let home = Home::new();
    let store = open(home.path());
    store.set(&user("a"), &secret(b"value")).unwrap();
    let key = serial(home.path(), "a@user");
    told(&["update", &key, "by hand"]);
    assert_eq!(fault(store.get(&user("a"))), StoreFault::Corrupt);
    told(&["setperm", &key, "0x00210000"]);
    let error = store.get(&user("a")).unwrap_err();
    assert_eq!(error.to_string(), "the kernel denies the key of a@user");
    assert_eq!(fault::<()>(Err(error)), StoreFault::Denied);
    assert_eq!(fault(store.set(&user("a"), &secret(b"new"))), StoreFault::Denied);
    told(&["setperm", &key, "0x003f0000"]);
    store.delete(&user("a")).unwrap();
}

/// A filter of system calls for `bwrap`: those of keys end with this error.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn filter(errno: u32) -> Vec<u8> {
    // add_key, request_key and keyctl follow each other.
    let first: u32 = if cfg!(target_arch = "x86_64") { 248 } else { 217 };
    let instructions: [(u16, u8, u8, u32); 5] = [
        (0x20, 0, 0, 0),                // load the number
        (0x35, 0, 2, first),            // not below the first
        (0x25, 1, 0, first + 2),        // nor above the last
        (0x06, 0, 0, 0x5_0000 | errno), // fail
        (0x06, 0, 0, 0x7fff_0000),      // allow
    ];
    let bytes = |(code, yes, no, operand): (u16, u8, u8, u32)| {
        [&code.to_ne_bytes()[..], &[yes, no], &operand.to_ne_bytes()].concat()
    };
    instructions.into_iter().flat_map(bytes).collect()
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[test]
fn a_sandbox_that_forbids_keys_or_hides_them_is_told() {
    let bwrap = ["bwrap", "--dev-bind", "/", "/", "true"];
    let works = Command::new(bwrap[0]).args(&bwrap[1..]).output();
    if skips("bubblewrap, and leave to use it", works.is_ok_and(|it| it.status.success())) {
        return;
    }
    let home = Home::new();
    let (denied, hidden) = (home.path().join("1"), home.path().join("38"));
    std::fs::write(&denied, filter(1)).unwrap();
    std::fs::write(&hidden, filter(38)).unwrap();
    child::run(
        2,
        |number, child| {
            let errno = [&denied, &hidden][number];
            let script = "exec bwrap --dev-bind / / --seccomp 3 \"$@\" 3<$FILTER";
            behind(&["sh", "-c", script, "sh"], child);
            child.env("FILTER", errno);
        },
        || {
            let expected = match std::env::var("FILTER").unwrap() {
                filter if filter.ends_with("/1") => {
                    (StoreFault::Denied, "the kernel denies its keys to this process")
                }
                _ => (StoreFault::Absent, "this kernel has no keys, or a sandbox hides them"),
            };
            let home = Home::new();
            for _ in ["without an installation", "with one"] {
                let store = open(home.path());
                let error = store.get(&user("a")).unwrap_err();
                assert_eq!(error.to_string(), expected.1);
                assert_eq!(fault::<()>(Err(error)), expected.0);
                assert_eq!(fault(store.set(&user("a"), &secret(b"value"))), expected.0);
                assert_eq!(fault(store.delete(&user("a"))), expected.0);
                assert_eq!(fault(store.names()), expected.0);
            }
        },
    );
}
