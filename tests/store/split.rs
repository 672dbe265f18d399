//! Values split over the items of a keychain that limits them, as Windows does.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use oauthctl::error::{Error, Result, StoreFault};
use oauthctl::secret::Secret;
use oauthctl::store::split::{Items, Split};
use oauthctl::store::{EntryName, Store};
use oauthctl::terms::StoreKind;

use super::{fault, keeps_the_contract, secret};

const LIMIT: usize = 2560;

/// A keychain in memory that takes items of `LIMIT` bytes, and dies after so many changes.
#[derive(Default, Clone)]
struct Memory(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    items: BTreeMap<String, Vec<u8>>,
    dies_after: Option<usize>,
}

impl Memory {
    fn change(&self, change: impl FnOnce(&mut BTreeMap<String, Vec<u8>>)) -> Result<()> {
        let mut state = self.0.lock().unwrap();
        match &mut state.dies_after {
            Some(0) => return Err(Error::Usage("it died".into())),
            Some(left) => *left -= 1,
            None => {}
        }
        change(&mut state.items);
        Ok(())
    }

    fn dies_after(&self, changes: usize) {
        self.0.lock().unwrap().dies_after = Some(changes);
    }

    /// Lives again; tells whether it had died.
    fn revive(&self) -> bool {
        self.0.lock().unwrap().dies_after.take() == Some(0)
    }

    fn all(&self) -> Vec<String> {
        self.names().unwrap()
    }
}

impl Items for Memory {
    fn get(&self, name: &str) -> Result<Option<Secret<Vec<u8>>>> {
        Ok(self.0.lock().unwrap().items.get(name).cloned().map(Secret::new))
    }

    fn set(&self, name: &str, value: &Secret<Vec<u8>>) -> Result<()> {
        assert!(value.expose().len() <= LIMIT, "an item is too long");
        self.change(|items| drop(items.insert(name.into(), value.expose().clone())))
    }

    fn delete(&self, name: &str) -> Result<()> {
        self.change(|items| drop(items.remove(name)))
    }

    fn names(&self) -> Result<Vec<String>> {
        Ok(self.0.lock().unwrap().items.keys().cloned().collect())
    }
}

/// The keychain store as it is on Windows.
struct WindowsLike(Split<Memory>);

impl Store for WindowsLike {
    fn kind(&self) -> StoreKind {
        StoreKind::Keychain
    }

    fn get(&self, name: &EntryName) -> Result<Option<Secret<Vec<u8>>>> {
        self.0.get(name.as_str())
    }

    fn reserve(&self, _: &EntryName, _: usize) -> Result<()> {
        Ok(())
    }

    fn set(&self, name: &EntryName, value: &Secret<Vec<u8>>) -> Result<()> {
        self.0.set(name.as_str(), value)
    }

    fn delete(&self, name: &EntryName) -> Result<()> {
        self.0.delete(name.as_str())
    }

    fn names(&self) -> Result<Vec<EntryName>> {
        Ok(self.0.names()?.iter().filter_map(|name| EntryName::parse(name)).collect())
    }
}

fn value_of(split: &Split<Memory>, name: &str) -> Option<Vec<u8>> {
    split.get(name).unwrap().map(|value| value.expose().clone())
}

#[test]
fn a_keychain_that_limits_its_items_keeps_the_contract() {
    let keychains = Mutex::new(BTreeMap::<PathBuf, Memory>::new());
    keeps_the_contract(&|data_dir: &Path| {
        let memory = keychains.lock().unwrap().entry(data_dir.to_owned()).or_default().clone();
        Box::new(WindowsLike(Split::new(memory, LIMIT, StoreKind::Keychain)))
    });
    let keychains = keychains.into_inner().unwrap();
    assert!(keychains.values().all(|memory| memory.all().is_empty()), "chunks were left behind");
}

#[test]
fn a_crash_at_any_step_of_setting_leaves_the_old_value_or_the_new_and_nothing_in_the_end() {
    let values = [vec![1; 10], vec![2; 9000], vec![3; 30_000], vec![4; 9000]];
    for (old, new) in values.iter().flat_map(|old| values.iter().map(move |new| (old, new))) {
        for step in 0.. {
            let memory = Memory::default();
            let split = Split::new(memory.clone(), LIMIT, StoreKind::Keychain);
            split.set("a", &secret(old)).unwrap();
            memory.dies_after(step);
            let result = split.set("a", &secret(new));
            let died = memory.revive();
            let found = value_of(&split, "a").unwrap();
            assert!(found == *new || (found == *old && result.is_err()), "step {step}");
            split.set("a", &secret(b"next")).unwrap();
            assert_eq!(memory.all(), ["a"], "step {step}");
            if !died {
                break;
            }
        }
    }
}

#[test]
fn a_crash_at_any_step_of_deleting_leaves_the_value_or_none_and_nothing_in_the_end() {
    for step in 0.. {
        let memory = Memory::default();
        let split = Split::new(memory.clone(), LIMIT, StoreKind::Keychain);
        split.set("a", &secret(&[1; 9000])).unwrap();
        memory.dies_after(step);
        let _ = split.delete("a");
        let died = memory.revive();
        let found = value_of(&split, "a");
        assert!(found.is_none() || (found.unwrap() == [1; 9000] && step == 0), "step {step}");
        split.delete("a").unwrap();
        assert!(memory.all().is_empty(), "step {step}");
        if !died {
            break;
        }
    }
}

#[test]
fn a_damaged_item_is_a_fault_and_not_a_value() {
    let memory = Memory::default();
    let split = Split::new(memory.clone(), LIMIT, StoreKind::Keychain);
    split.set("a", &secret(&[7; 9000])).unwrap();
    let head = memory.get("a").unwrap().unwrap().expose().clone();
    for damaged in [&b""[..], b"by hand", b"+", b"-x", &head[..head.len() - 1]] {
        memory.set("a", &secret(damaged)).unwrap();
        assert_eq!(fault(split.get("a")), StoreFault::Corrupt);
    }
    memory.set("a", &secret(&head)).unwrap();
    memory.set("a#0.1", &secret(b"by hand")).unwrap();
    assert_eq!(fault(split.get("a")), StoreFault::Corrupt);
    memory.delete("a#0.1").unwrap();
    assert_eq!(fault(split.get("a")), StoreFault::Corrupt);
    split.set("a", &secret(b"new")).unwrap();
    assert_eq!(value_of(&split, "a").unwrap(), b"new");
}

/// What a keychain of items of 512 bytes was given by form 1: entries `whole@user` and `work@user`.
const GOLDEN: [(&str, &[u8]); 4] = [
    ("whole@user", include_bytes!("../golden/item-1-whole")),
    ("work@user", include_bytes!("../golden/item-1-chunked")),
    ("work@user#0.0", include_bytes!("../golden/item-1-chunk-0.0")),
    ("work@user#0.1", include_bytes!("../golden/item-1-chunk-0.1")),
];

#[test]
fn every_form_is_read_and_the_newest_is_written() {
    let memory = Memory::default();
    for (name, bytes) in GOLDEN {
        memory.set(name, &secret(bytes)).unwrap();
    }
    let split = Split::new(memory, 512, StoreKind::Keychain);
    let record = include_bytes!("../golden/record-1.json");
    assert_eq!(value_of(&split, "whole@user").unwrap(), b"golden value");
    assert_eq!(value_of(&split, "work@user").unwrap(), record);

    let memory = Memory::default();
    let split = Split::new(memory.clone(), 512, StoreKind::Keychain);
    split.set("whole@user", &secret(b"golden value")).unwrap();
    split.set("work@user", &secret(record)).unwrap();
    for (name, golden) in GOLDEN {
        let written = memory.get(name).unwrap().unwrap().expose().clone();
        // Eight random bytes end the item that says where the chunks are.
        let same = if golden[0] == b'+' { golden.len() - 8 } else { golden.len() };
        assert_eq!((written.len(), &written[..same]), (golden.len(), &golden[..same]), "{name}");
    }
    assert_eq!(memory.all().len(), GOLDEN.len());
}

#[test]
fn an_item_of_a_newer_form_is_told_from_a_damaged_one() {
    let memory = Memory::default();
    let split = Split::new(memory.clone(), LIMIT, StoreKind::Keychain);
    memory.set("a", &secret(b"2 whatever")).unwrap();
    assert_eq!(fault(split.get("a")), StoreFault::Newer);
}
