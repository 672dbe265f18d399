//! The command store: over real helpers, and over those that fail in every way.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::support::keyring::{self, Keyring};
use crate::support::{installed, pass};
use oauthctl::error::{Error, StoreFault};
use oauthctl::report::{Report, Silent};
use oauthctl::store::command::CommandStore;
use oauthctl::store::{Helper, Place, Store, installation_id};
use tempfile::TempDir;

use super::{fault, keeps_the_contract, keeps_the_contract_in, place, read, secret, user};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/store/helper.sh");

/// Longer than any test takes on a machine with much else to do.
const PATIENT: Duration = Duration::from_secs(600);

fn helped_by(words: &[&str], data_dir: &Path, report: Arc<dyn Report + Send + Sync>) -> Place {
    let words = words.iter().map(|&word| word.to_owned()).collect();
    let helper = Some(Helper { words, settings: PathBuf::new(), report });
    Place { helper, timeout: PATIENT, ..place(data_dir) }
}

fn open(words: &[&str], data_dir: &Path) -> CommandStore {
    CommandStore::open(&helped_by(words, data_dir, Arc::new(Silent))).unwrap()
}

/// A helper that keeps its items in files, and does what a test says before.
struct Scripted {
    home: TempDir,
    words: Vec<String>,
    heard: Arc<Ear>,
}

#[derive(Default)]
struct Ear(Mutex<Vec<String>>);

impl Report for Ear {
    fn warn(&self, _: &str) {}
    fn note(&self, message: &str) {
        self.0.lock().unwrap().push(message.to_owned());
    }
    fn trace(&self, _: u8, _: &dyn Fn() -> String) {}
}

impl Scripted {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let items = format!("ITEMS={}", home.path().display());
        let words = ["env".to_owned(), items, "sh".to_owned(), SCRIPT.to_owned()].to_vec();
        Self { home, words, heard: Arc::default() }
    }

    /// A script that the helper runs first; in it `$1` is what it is asked for.
    fn fault(&self, script: &str) {
        fs::write(self.home.path().join("fault"), script).unwrap();
    }

    fn mend(&self) {
        fs::remove_file(self.home.path().join("fault")).unwrap();
    }

    fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    fn place(&self) -> Place {
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        helped_by(&words, &self.data(), Arc::clone(&self.heard) as _)
    }

    fn open(&self) -> CommandStore {
        CommandStore::open(&self.place()).unwrap()
    }

    /// The file of an item.
    fn item(&self, path: &str) -> PathBuf {
        let id = installation_id(&self.data()).unwrap();
        self.home.path().join(format!("https:++oauthctl+{id}+{path}.json"))
    }

    /// How many items there are.
    fn items(&self) -> usize {
        let files = fs::read_dir(self.home.path()).unwrap().flatten();
        files.filter(|file| file.path().extension().is_some_and(|kind| kind == "json")).count()
    }

    fn heard(&self) -> Vec<String> {
        std::mem::take(&mut *self.heard.0.lock().unwrap())
    }
}

#[test]
fn a_helper_that_removes_before_it_writes_keeps_the_contract() {
    let helper = Scripted::new();
    let words: Vec<&str> = helper.words.iter().map(String::as_str).collect();
    keeps_the_contract(&|data_dir| Box::new(open(&words, data_dir)));
    assert_eq!(helper.items(), 0, "items were left behind");
}

#[test]
fn docker_credential_pass_keeps_the_contract() {
    pass::with(|| {
        keeps_the_contract_in(5, &[100_000, 256, 0], &|data_dir| {
            Box::new(open(&["docker-credential-pass"], data_dir))
        });
    });
}

#[test]
fn docker_credential_secretservice_keeps_the_contract() {
    const HELPER: &str = "docker-credential-secretservice";
    if !installed(HELPER) {
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), "skipped: it needs golang-docker-credential-helpers");
        return;
    }
    keyring::with(Keyring::Unlocked, || {
        keeps_the_contract_in(20, &[1, 24_000, 100_000, 23_998, 23_999, 0], &|data_dir| {
            Box::new(open(&[HELPER], data_dir))
        });
    });
}

#[test]
fn a_helper_that_dies_at_any_step_leaves_the_old_value_or_the_new_one() {
    // It counts what it is asked for, and dies the given time: half-way, where it writes.
    let counting = "n=$(cat $ITEMS/count); echo $((n - 1)) >$ITEMS/count\n\
                    [ $n = 0 ] && { [ $1 = store ] || exit 1; DIES_IN_STORE=1; }\n";
    for new in [b"new".to_vec(), vec![7; 60_000]] {
        for step in 0.. {
            let helper = Scripted::new();
            let store = helper.open();
            store.set(&user("a"), &secret(b"old")).unwrap();
            fs::write(helper.home.path().join("count"), step.to_string()).unwrap();
            helper.fault(counting);
            let result = store.set(&user("a"), &secret(&new));
            helper.mend();
            let found = read(&store, &user("a")).expect("it was there all the time");
            assert!(found == new || (found == b"old" && result.is_err()), "step {step}");
            store.delete(&user("a")).unwrap();
            assert_eq!(read(&store, &user("a")), None);
            assert_eq!(helper.items(), 0, "step {step}");
            let count = fs::read_to_string(helper.home.path().join("count")).unwrap();
            if count.trim().parse::<i64>().unwrap() >= 0 {
                break;
            }
        }
    }
}

#[test]
fn what_is_reserved_is_tried_beside_the_entry_and_leaves_nothing() {
    let helper = Scripted::new();
    let store = helper.open();
    store.set(&user("a"), &secret(b"value")).unwrap();
    store.reserve(&user("a"), 100_000).unwrap();
    assert_eq!(helper.items(), 1);
    helper.fault("[ $1 = store ] && { echo 'no space left'; exit 1; }");
    assert_eq!(fault(store.reserve(&user("a"), 10)), StoreFault::Failed);
    assert_eq!(read(&store, &user("a")).unwrap(), b"value");
    helper.fault("[ $1 = store ] && DIES_IN_STORE=1");
    assert_eq!(fault(store.reserve(&user("a"), 10)), StoreFault::Failed);
    assert_eq!(read(&store, &user("a")).unwrap(), b"value");
}

/// Every call ends with this fault, and with these words.
#[track_caller]
fn all_end_with(helper: &Scripted, expected: StoreFault, words: &str) {
    let store = helper.open();
    let calls = [
        store.get(&user("a")).err(),
        store.set(&user("a"), &secret(b"value")).err(),
        store.delete(&user("a")).err(),
        store.names().err(),
    ];
    for error in calls {
        let error = error.expect("it must fail");
        let sentence = error.sentence();
        assert!(sentence.contains(words), "{sentence}");
        assert_eq!(fault::<()>(Err(error)), expected, "{sentence}");
    }
}

#[test]
fn each_fault_of_a_helper_is_told_in_its_own_words() {
    let helper = Scripted::new();
    helper.open().set(&user("a"), &secret(b"value")).unwrap();
    for (script, words) in [
        ("echo 'the vault is sealed'; exit 1", "helper env failed to"),
        ("echo 'the vault is sealed'; exit 1", "(exit status: 1): the vault is sealed"),
        ("printf 'no\\033[31m\\n\\n'; exit 3", "(exit status: 3): no\\u{1b}[31m"),
        ("echo 'only here' >&2; exit 1", ": only here"),
        ("exit 1", "(exit status: 1)"),
        ("kill -9 $$", "(signal: 9 (SIGKILL))"),
    ] {
        helper.fault(script);
        all_end_with(&helper, StoreFault::Failed, words);
    }
    helper.fault("i=0; while [ $i -lt 1000 ]; do printf 'é'; i=$((i + 1)); done; exit 1");
    let error = helper.open().get(&user("a")).unwrap_err();
    assert_eq!(error.sentence().chars().filter(|&c| c == 'é').count(), 300);
    helper.mend();
    assert_eq!(read(&helper.open(), &user("a")).unwrap(), b"value");
}

#[test]
fn an_answer_that_makes_no_sense_is_a_fault_and_is_not_shown() {
    let helper = Scripted::new();
    helper.open().set(&user("a"), &secret(b"value")).unwrap();
    for script in ["echo hunter2; exit 0", "exit 0", "echo '{\"Secret\":7}'; exit 0", "yes hunter2"]
    {
        helper.fault(&format!("case $1 in get|list) {script};; esac"));
        for error in [
            helper.open().get(&user("a")).unwrap_err(),
            helper.open().set(&user("a"), &secret(b"new")).unwrap_err(),
            helper.open().names().unwrap_err(),
        ] {
            assert!(!error.sentence().contains("hunter2"), "{}", error.sentence());
            assert_eq!(fault::<()>(Err(error)), StoreFault::Failed, "{script}");
        }
    }
}

#[test]
fn an_empty_secret_and_the_words_for_it_are_no_entry() {
    let helper = Scripted::new();
    let store = helper.open();
    store.set(&user("a"), &secret(b"value")).unwrap();
    for script in [
        "echo '{\"ServerURL\":\"https://x\",\"Username\":\"\",\"Secret\":\"\"}'; exit 0",
        "echo 'credentials not found in native keychain'; exit 1",
    ] {
        helper.fault(&format!("[ $1 = get ] && {{ {script}; }}"));
        assert_eq!(read(&store, &user("a")), None);
        // What is set must be there.
        assert_eq!(fault(store.set(&user("a"), &secret(b"new"))), StoreFault::Failed);
    }
}

#[test]
fn a_store_that_keeps_something_else_or_nothing_is_found_out() {
    let helper = Scripted::new();
    let store = helper.open();
    store.set(&user("a"), &secret(b"old")).unwrap();
    helper.fault("[ $1 = store ] && exit 0");
    let error = store.set(&user("a"), &secret(b"new")).unwrap_err();
    assert!(error.to_string().contains("did not keep what was written"), "{error}");
    assert_eq!(fault::<()>(Err(error)), StoreFault::Failed);
    helper.mend();
    assert_eq!(read(&store, &user("a")).unwrap(), b"old");
}

#[test]
fn a_helper_that_is_not_there_is_absent() {
    let home = tempfile::tempdir().unwrap();
    installation_id(home.path()).unwrap();
    fs::write(home.path().join("plain"), "no program").unwrap();
    for program in ["no-such-helper", &home.path().join("plain").display().to_string()] {
        let store = open(&[program], home.path());
        let error = store.get(&user("a")).unwrap_err();
        assert!(error.to_string().starts_with("the helper "), "{error}");
        assert!(error.to_string().ends_with(" can't be run"), "{error}");
        assert_eq!(fault::<()>(Err(error)), StoreFault::Absent);
    }
}

#[test]
fn without_a_helper_the_configuration_is_incomplete() {
    let home = tempfile::tempdir().unwrap();
    for place in [place(home.path()), helped_by(&[], home.path(), Arc::new(Silent))] {
        let Err(Error::Config(error)) = CommandStore::open(&place) else { panic!("it opens") };
        assert_eq!(error.missing, Some("store_command"));
    }
}

#[test]
fn a_helper_that_hangs_is_given_up_on_and_so_is_what_it_left_behind() {
    let helper = Scripted::new();
    helper.open().set(&user("a"), &secret(b"value")).unwrap();
    let begun = Instant::now();
    for script in ["exec sleep 1000", "sleep 1000 & wait", "trap '' TERM; sleep 1000; sleep 1000"] {
        helper.fault(script);
        let place = Place { timeout: Duration::from_millis(200), ..helper.place() };
        let store = CommandStore::open(&place).unwrap();
        let error = store.get(&user("a")).unwrap_err();
        assert_eq!(error.to_string(), "the helper env did not answer within 200ms");
        assert_eq!(fault(store.set(&user("a"), &secret(b"new"))), StoreFault::TimedOut);
        assert_eq!(fault(store.delete(&user("a"))), StoreFault::TimedOut);
        assert_eq!(fault(store.names()), StoreFault::TimedOut);
    }
    // This one answers, but its child keeps the pipes open.
    helper.fault("sleep 1000 & echo $! >>$ITEMS/left");
    let store = helper.open();
    assert_eq!(read(&store, &user("a")).unwrap(), b"value");
    store.set(&user("a"), &secret(b"new")).unwrap();
    assert_eq!(read(&store, &user("a")).unwrap(), b"new");
    assert!(begun.elapsed() < PATIENT);
    for pid in fs::read_to_string(helper.home.path().join("left")).unwrap().split_whitespace() {
        use rustix::process::{Pid, Signal, kill_process};
        kill_process(Pid::from_raw(pid.parse().unwrap()).unwrap(), Signal::KILL).unwrap();
    }
}

#[test]
fn what_a_helper_complains_about_is_heard_without_the_secret() {
    let helper = Scripted::new();
    let store = helper.open();
    // It repeats all that it reads, and what it prints, as a shell does that traces what it runs.
    let echoing = "case $1 in\n\
        store) json=$(cat); echo \"got $json\" >&2; printf '%s\\n' \"$json\"; exit 1;;\n\
        get) url=$(cat); echo \"asked for $url\" >&2; cat \"$(printf '%s/%s.json' \"$ITEMS\" \
        \"$(printf %s \"$url\" | tr / +)\")\" >&2; exit 1;;\nesac";
    store.set(&user("a"), &secret(b"a value that nobody may see")).unwrap();
    let item = fs::read_to_string(helper.item("a+user")).unwrap();
    let hidden = item.split("oauthctl.1.").nth(1).unwrap().trim_end_matches("\"}\n").to_owned();
    assert!(hidden.len() > 40, "{item}");
    helper.fault(echoing);
    let error = store.get(&user("a")).unwrap_err();
    assert!(!error.sentence().contains(&hidden[..16]), "{}", error.sentence());
    let heard = helper.heard();
    let asked = format!("env: asked for https://oauthctl/{}/a/user", {
        installation_id(&helper.data()).unwrap()
    });
    assert_eq!(heard[0], asked);
    assert!(heard[1].ends_with(",\"Secret\":\"[redacted]\"}"), "{heard:?}");

    helper.fault(&echoing.replace("get)", "other)"));
    let error = store.set(&user("b"), &secret(b"another that nobody may see")).unwrap_err();
    assert!(error.sentence().ends_with(",\"Secret\":\"[redacted]\"}"), "{}", error.sentence());
    let heard = helper.heard();
    assert!(heard[0].starts_with("env: got {\"ServerURL\""), "{heard:?}");
    assert!(heard[0].ends_with(",\"Secret\":\"[redacted]\"}"), "{heard:?}");
}

#[test]
fn what_another_wrote_is_told_and_replaced_by_the_next_set() {
    let helper = Scripted::new();
    let store = helper.open();
    store.set(&user("a"), &secret(b"value")).unwrap();
    for (by_hand, expected) in [
        ("{\"Secret\":\"by hand\"}", StoreFault::Corrupt),
        ("{\"Secret\":\"oauthctl.1.AAAA\"}", StoreFault::Corrupt),
        ("{\"Secret\":\"oauthctl.2.AAAA\"}", StoreFault::Newer),
    ] {
        fs::write(helper.item("a+user"), by_hand).unwrap();
        let error = store.get(&user("a")).unwrap_err();
        assert!(error.to_string().starts_with("the item for a@user in env "), "{error}");
        assert_eq!(fault::<()>(Err(error)), expected);
    }
    assert_eq!(fault(store.set(&user("a"), &secret(b"new"))), StoreFault::Newer);
    fs::write(helper.item("a+user"), "{\"Secret\":\"by hand\"}").unwrap();
    store.set(&user("a"), &secret(b"new")).unwrap();
    assert_eq!(read(&store, &user("a")).unwrap(), b"new");
}

#[test]
fn a_name_that_a_url_would_change_is_refused() {
    let helper = Scripted::new();
    let store = helper.open();
    for profile in ["../x", "a/b", "a?b", "a b", "a%2fb", "ä"] {
        assert_eq!(fault(store.set(&user(profile), &secret(b"x"))), StoreFault::Failed);
        assert_eq!(fault(store.get(&user(profile))), StoreFault::Failed);
    }
    assert_eq!(helper.items(), 0);
}
