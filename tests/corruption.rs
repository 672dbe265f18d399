//! Whatever becomes of a file below DATA: it is told by name, the hint's command mends it, what was there
//! is still there under another name, and no other profile is the worse for it.

mod entries;
mod in_the_way;
mod journal;
mod key;
mod keychain;
mod unreadable;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::support::{Outcome, Test};

/// A way in which a file can be damaged.
struct Damage {
    name: &'static str,
    apply: fn(&Path),
}

const DAMAGES: [Damage; 8] = [
    Damage {
        name: "truncated",
        apply: |path| change(path, |bytes| bytes.truncate(end(bytes) / 2)),
    },
    Damage { name: "flipped", apply: flip },
    Damage { name: "empty", apply: |path| change(path, Vec::clear) },
    Damage { name: "foreign", apply: |path| change(path, |bytes| *bytes = b"# a note\n".to_vec()) },
    Damage {
        name: "a directory",
        apply: |path| {
            fs::remove_file(path).unwrap();
            make_directory(path);
            make_directory(&path.join("within"));
        },
    },
    Damage {
        name: "a pipe",
        apply: |path| {
            fs::remove_file(path).unwrap();
            mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        },
    },
    Damage { name: "a link", apply: |path| link(path, path.parent().unwrap()) },
    Damage { name: "a link astray", apply: |path| link(path, Path::new("/no/such/file")) },
];

fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

/// One bit, far from the beginning.
fn flip(path: &Path) {
    change(path, |bytes| {
        let at = end(bytes) * 2 / 3;
        bytes[at] ^= 1;
    });
}

/// Where the room that is only reserved begins.
fn end(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|&byte| byte != 0).unwrap()
}

fn link(path: &Path, target: &Path) {
    fs::remove_file(path).unwrap();
    symlink(target, path).unwrap();
}

fn make_directory(path: &Path) {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().mode(0o700).create(path).unwrap();
}

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Thing {
    File(Vec<u8>),
    Directory(usize),
    Pipe,
    Link(PathBuf),
}

impl Thing {
    #[track_caller]
    fn at(path: &Path) -> Self {
        let kind = fs::symlink_metadata(path).unwrap().file_type();
        if kind.is_symlink() {
            Self::Link(fs::read_link(path).unwrap())
        } else if kind.is_dir() {
            Self::Directory(fs::read_dir(path).unwrap().count())
        } else if kind.is_fifo() {
            Self::Pipe
        } else {
            Self::File(fs::read(path).unwrap())
        }
    }
}

/// All that is below DATA.
fn things(test: &Test) -> BTreeMap<PathBuf, Thing> {
    fn walk(path: &Path, found: &mut BTreeMap<PathBuf, Thing>) {
        let thing = Thing::at(path);
        if matches!(thing, Thing::Directory(_)) {
            for entry in fs::read_dir(path).unwrap() {
                walk(&entry.unwrap().path(), found);
            }
        }
        found.insert(path.to_owned(), thing);
    }
    let mut found = BTreeMap::new();
    walk(&test.data(), &mut found);
    found
}

/// The name under which the first broken thing of this name is set aside.
fn aside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("~broken-1");
    name.into()
}

/// A machine on which users of two profiles have logged in.
fn two_users() -> Test {
    let test = Test::new().sandbox().env("OAUTHCTL_PROFILE", "standard");
    test.words("login -p bindeo").run().success();
    test.words("login").run().success();
    test
}

/// The header of the profile that nothing has happened to.
#[track_caller]
fn header_of_the_other(test: &Test) -> String {
    test.words("header -p bindeo").prints_secrets().run().success().stderr_is("").stdout
}

/// The session works: what is stored is what the server handed out last, and can be renewed.
#[track_caller]
fn assert_session_lives(test: &Test) {
    let header = format!("Authorization: Bearer {}\n", test.access_token());
    test.words("header").prints_secrets().run().success().stdout_is(&header).stderr_is("");
    test.words("refresh").run().success().stderr_has("Renewed");
}

/// It failed because of the store, named this file, and said what to do.
#[track_caller]
fn assert_told(outcome: Outcome, path: &Path) -> Outcome {
    let status = if outcome.status == 125 { 125 } else { 7 };
    let outcome = outcome.fails_with(status).stderr_has(&path.display().to_string());
    hint(&outcome);
    outcome
}

/// The command of the hint.
#[track_caller]
fn hint(outcome: &Outcome) -> String {
    let hint = outcome.stderr.lines().find_map(|line| line.strip_prefix("hint: "));
    let hint = hint.unwrap_or_else(|| panic!("no hint: {outcome:#?}"));
    hint.rsplit(": ").next().unwrap().to_owned()
}

/// Runs the command of the hint, which works.
#[track_caller]
fn follow(test: &Test, outcome: &Outcome) -> Outcome {
    test.shell(&hint(outcome)).prints_secrets().run().success()
}
