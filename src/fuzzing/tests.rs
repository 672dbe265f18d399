//! Runs every seed of the corpus, and mutations of them, through the functions that are fuzzed.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

fn fuzz(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(path)
}

/// The seeds of a target; none in a package, which goes without the fuzzers.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let Ok(files) = fs::read_dir(fuzz(&format!("corpus/{target}"))) else {
        assert!(!fuzz("").exists(), "{target} has no seeds");
        return Vec::new();
    };
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| fs::read(file).unwrap()).collect()
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
            Self::Replace(..) => {}
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
            Self::Cross(..) => {}
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
        changes.iter().for_each(|change| change.apply(&mut bytes, &seeds));
        bytes
    });
    prop_oneof![9 => changed, 1 => noise].boxed()
}

fn check(name: &str, target: fn(&[u8])) {
    let seeds = seeds(name);
    seeds.iter().for_each(|seed| target(seed));
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(bytes in nearly(seeds))| target(&bytes));
}

macro_rules! targets {
    ($($name:ident)*) => {
        $(#[test] fn $name() { check(stringify!($name), super::$name); })*

        #[test]
        fn every_target_is_fuzzed() {
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

targets! { answer callback claims curl profile record redaction sealed split stream }
