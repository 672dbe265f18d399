//! Runs every seed of the corpus, and mutations of them, through the functions that are fuzzed.

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

fn fuzz(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(path)
}

/// The files with the seeds of a target; none in a package, which goes without the fuzzers.
fn seeds(target: &str) -> Vec<PathBuf> {
    let Ok(files) = fs::read_dir(fuzz(&format!("corpus/{target}"))) else {
        assert!(!fuzz("").exists(), "{target} has no seeds");
        return Vec::new();
    };
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

/// One change to some bytes.
#[derive(Debug, Clone)]
enum Change {
    Replace(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, Index),
    Repeat(Index, Index),
    /// Puts the end of another seed behind the beginning of this one.
    Cross(Index, Index, Index),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        let at = |index: &Index, len: usize| index.index(len + 1);
        let range = |from: &Index, to: &Index, len| {
            let (from, to) = (at(from, len), at(to, len));
            from.min(to)..from.max(to)
        };
        let len = bytes.len();
        match self {
            Self::Replace(index, byte) if len > 0 => bytes[index.index(len)] = *byte,
            Self::Insert(index, patch) => {
                let at = at(index, len);
                bytes.splice(at..at, patch.iter().copied());
            }
            Self::Remove(from, to) => drop(bytes.drain(range(from, to, len))),
            Self::Repeat(from, to) => bytes.extend_from_within(range(from, to, len)),
            Self::Cross(other, cut, from) if !seeds.is_empty() => {
                let other = other.get(seeds);
                bytes.truncate(at(cut, len));
                bytes.extend_from_slice(&other[at(from, other.len())..]);
            }
            // There is nothing to change, or nothing to change it with.
            Self::Replace(..) | Self::Cross(..) => {}
        }
    }
}

fn change() -> impl Strategy<Value = Change> {
    let telling = select(&b"\0\n\r\t \"%&+,./0:=[]\\{}\x7f\xc3\xff"[..]);
    let index = any::<Index>;
    let patch = prop_oneof![vec(any::<u8>(), 1..9), "\\PC{1,9}".prop_map(String::into_bytes)];
    prop_oneof![
        (index(), prop_oneof![any::<u8>(), telling]).prop_map(|(at, to)| Change::Replace(at, to)),
        (index(), patch).prop_map(|(at, patch)| Change::Insert(at, patch)),
        (index(), index()).prop_map(|(from, to)| Change::Remove(from, to)),
        (index(), index()).prop_map(|(from, to)| Change::Repeat(from, to)),
        (index(), index(), index()).prop_map(|(o, cut, from)| Change::Cross(o, cut, from)),
    ]
}

/// A seed with a few changes, or just some bytes.
fn nearly(seeds: Vec<Vec<u8>>) -> BoxedStrategy<Vec<u8>> {
    let noise = vec(any::<u8>(), 0..64);
    if seeds.is_empty() {
        return noise.boxed();
    }
    let changed = (any::<Index>(), vec(change(), 1..5)).prop_map(move |(seed, changes)| {
        let mut bytes = seed.get(&seeds).clone();
        for change in &changes {
            change.apply(&mut bytes, &seeds);
        }
        bytes
    });
    prop_oneof![9 => changed, 1 => noise].boxed()
}

fn check(name: &str, target: fn(&[u8])) {
    let files = seeds(name);
    let seeds: Vec<_> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    let breaks = |seed: &[u8]| catch_unwind(|| target(seed)).is_err();
    let broken: Vec<_> = files.iter().zip(&seeds).filter(|(_, seed)| breaks(seed)).collect();
    assert!(broken.is_empty(), "{:?}", broken.iter().map(|(file, _)| file).collect::<Vec<_>>());
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(bytes in nearly(seeds))| target(&bytes));
}

macro_rules! targets {
    ($($name:ident)*) => {
        mod no_bytes_break_a_rule_of {
            $(#[test] fn $name() { super::check(stringify!($name), crate::fuzzing::$name); })*
        }

        #[test]
        fn whatever_is_tried_here_is_fuzzed_too() {
            let Ok(manifest) = fs::read_to_string(fuzz("Cargo.toml")) else {
                return assert!(!fuzz("").exists());
            };
            let manifest: toml::Table = manifest.parse().unwrap();
            let names = manifest["bin"].as_array().unwrap().iter().map(|bin| bin["name"].as_str());
            assert!(names.eq([$(Some(stringify!($name))),*]));
            $({
                let source = fs::read_to_string(fuzz(concat!("fuzz_targets/", stringify!($name), ".rs")));
                assert!(source.unwrap().contains(concat!("oauthctl::fuzzing::", stringify!($name), "(")));
            })*
        }
    };
}

targets! { answer callback claims curl helper index journal profile record redaction sealed split stream }
