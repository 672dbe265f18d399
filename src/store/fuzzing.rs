//! What must hold of sealed bytes and of split values, whatever lies in a store.

#![allow(clippy::missing_panics_doc, reason = "to panic is all that they do")]

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use ring::digest::{SHA256, digest};
use serde_json::Value;

use super::command::protocol::{self, Garbled};
use super::seal::{self, Broken, Key};
use super::split::{Items, Split};
use super::{fault, line};
use crate::error::{Error, Result, StoreError, StoreFault};
use crate::secret::Secret;
use crate::terms::StoreKind;

/// The key with which the seeds are sealed, and the place that they are sealed for.
const PLACE: &[u8] = b"work@user";

fn key() -> Key {
    Secret::new([7; seal::KEY_LEN])
}

/// Bytes that may be sealed, and the same as what is to be sealed.
pub fn sealed(data: &[u8]) {
    match seal::open(&key(), PLACE, data.to_vec()) {
        Ok(plain) => assert_eq!(plain.expose().len() + seal::OVERHEAD, data.len()),
        Err(Broken::Newer | Broken::WrongKey) => assert!(data.starts_with(b"oauthctl")),
        Err(Broken::Corrupt) => {}
    }
    // A line that keeps a key, and one that keeps the bytes.
    assert!(line::read("key", data).is_ok() || data.starts_with(b"oauthctl "));
    let word = String::from_utf8_lossy(data).replace(char::is_whitespace, "_");
    let kept = line::write("key", &word);
    assert_eq!(line::read("key", kept.as_bytes()), Ok(Some(&*word)));
    let sealed = seal::seal(&key(), PLACE, data).expect("little enough to seal");
    assert_eq!(sealed.len(), data.len() + seal::OVERHEAD);
    let opened = seal::open(&key(), PLACE, sealed.clone());
    assert_eq!(opened.map(|plain| plain.expose().clone()).as_deref(), Ok(data));
    assert!(seal::open(&key(), data, sealed.clone()).is_err() || data == PLACE);
    let bit = data.iter().fold(0, |bit: usize, &byte| bit.wrapping_mul(31) + usize::from(byte));
    let mut altered = sealed.clone();
    altered[bit / 8 % sealed.len()] ^= 1 << (bit % 8);
    assert!(seal::open(&key(), PLACE, altered).is_err());
    assert!(seal::open(&key(), PLACE, sealed[..bit % sealed.len()].to_vec()).is_err());
}

/// Items in memory, of no more than so many bytes each, which can be changed so many times.
#[derive(Clone)]
struct Memory {
    items: RefCell<BTreeMap<String, Vec<u8>>>,
    changes: Cell<usize>,
}

const LIMIT: usize = 100;

impl Memory {
    fn change(&self) -> Result<()> {
        let left = self.changes.get().checked_sub(1);
        let full = StoreFault::Failed;
        self.changes.set(left.ok_or_else(|| fault(StoreKind::Keychain, full, "full", None))?);
        Ok(())
    }
}

impl Items for Memory {
    fn get(&self, name: &str) -> Result<Option<Secret<Vec<u8>>>> {
        Ok(self.items.borrow().get(name).cloned().map(Secret::new))
    }

    fn set(&self, name: &str, value: &Secret<Vec<u8>>) -> Result<()> {
        assert!(value.expose().len() <= LIMIT);
        self.change()?;
        self.items.borrow_mut().insert(name.to_owned(), value.expose().clone());
        Ok(())
    }

    fn delete(&self, name: &str) -> Result<()> {
        self.change()?;
        self.items.borrow_mut().remove(name);
        Ok(())
    }

    fn names(&self) -> Result<Vec<String>> {
        Ok(self.items.borrow().keys().cloned().collect())
    }
}

const NAMES: [&str; 7] = ["a", "a#0.0", "a#0.1", "a#0.2", "a#1.0", "a#1.1", "a#0.4095"];

/// Some items, each a byte that chooses its name, one with its length, and so many bytes; what is
/// left over is a value to set.
pub fn split(data: &[u8]) {
    let mut items = BTreeMap::new();
    let mut rest = data;
    while let [name, len, following @ ..] = rest
        && let Some((item, following)) = following.split_at_checked(usize::from(*len))
        && let Some(name) = NAMES.get(usize::from(*name))
    {
        items.insert((*name).to_owned(), item[..item.len().min(LIMIT)].to_vec());
        rest = following;
    }
    let memory = Memory { items: items.into(), changes: Cell::new(usize::MAX) };
    let value = Secret::new(rest.to_vec());
    let thorough = |memory| Split::new(memory, LIMIT, StoreKind::Keychain);
    changed(&memory, &value, &thorough);
    changed(&memory, &value, &|memory| thorough(memory).sparing());
}

fn changed(memory: &Memory, value: &Secret<Vec<u8>>, split: &dyn Fn(Memory) -> Split<Memory>) {
    let items = split(memory.clone());
    if let (Ok(Some(read)), Some([b'+', _, _, _, _, _, check @ ..])) =
        (items.get("a"), memory.items.borrow().get("a").map(Vec::as_slice))
    {
        assert!(check.starts_with(digest(&SHA256, read.expose()).as_ref()));
    }
    for changes in 0..8 {
        interrupted(memory, value, changes, split);
    }
    items.set("a", value).expect("the value is set whatever was there");
    assert_eq!(items.get("a").expect("the value is read").as_ref(), Some(value));
    assert_eq!(items.names().expect("names are listed"), ["a"]);
    items.delete("a").expect("the value is deleted");
    assert_eq!(items.get("a").expect("nothing is read"), None);
}

/// After so many changes nothing can be written any more: the old value is there, or the new one.
fn interrupted(
    memory: &Memory,
    value: &Secret<Vec<u8>>,
    changes: usize,
    split: &dyn Fn(Memory) -> Split<Memory>,
) {
    let before = match split(memory.clone()).get("a") {
        Ok(before) => before,
        Err(Error::Store(StoreError {
            fault: StoreFault::Corrupt | StoreFault::Newer, ..
        })) => return,
        Err(other) => panic!("{other:?}"),
    };
    memory.changes.set(changes);
    let items = split(memory.clone());
    memory.changes.set(usize::MAX);
    let set = items.set("a", value);
    let after = items.get("a").expect("what was there, or what was set");
    match set {
        Ok(()) => assert_eq!(after.as_ref(), Some(value)),
        Err(_) => assert!(after == before || after.as_ref() == Some(value), "{changes}"),
    }
}

/// What a helper prints: for `get`, for `list`, and when it fails.
pub fn helper(data: &[u8]) {
    const HERE: &str = "0123456789abcdef0123456789abcdef";
    let printed = serde_json::from_slice::<Value>(data);
    if let Ok(printed) = &printed {
        let secret = printed.get("Secret").and_then(Value::as_str);
        match protocol::value(data) {
            // No value but one that was written, in the one way of writing it.
            Ok(Some(value)) => assert_eq!(secret, Some(protocol::seal(&value).expose().as_str())),
            Ok(None) => assert_eq!(secret, Some("")),
            Err(Garbled::Answer) => {}
            Err(Garbled::Item | Garbled::Newer) => assert!(secret.is_some()),
        }
    }
    for name in protocol::names(HERE, data).unwrap_or_default() {
        let url = protocol::url(HERE, &name).expect("a name that was found is that of a URL");
        assert!(printed.as_ref().is_ok_and(|printed| printed.get(&url).is_some()), "{url}");
    }
    let text = String::from_utf8_lossy(data);
    assert!(!protocol::hide(&text).contains("oauthctl."));
    let _ = protocol::is_not_found(&text);
    if let Ok(value) = protocol::open(&text) {
        assert_eq!(protocol::seal(&value).expose(), &text);
    }
    written_for_a_helper(&Secret::new(data.to_vec()));
}

/// What is written for a helper is read from it, and hidden where it stands.
fn written_for_a_helper(value: &Secret<Vec<u8>>) {
    let secret = protocol::seal(value);
    assert_eq!(protocol::open(secret.expose()).as_ref(), Ok(value));
    assert_eq!(protocol::hide(secret.expose()), "[redacted]");
    let credential = protocol::credential("https://oauthctl/x/a/user", &secret);
    assert_eq!(protocol::value(credential.expose()), Ok(Some(value.clone())));
}
