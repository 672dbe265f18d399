//! What must hold of sealed bytes and of split values, whatever lies in a store.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::seal::{self, Broken, Key};
use super::split::{Items, Split};
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

/// Items in memory, of no more than so many bytes each.
#[derive(Default)]
struct Memory(RefCell<BTreeMap<String, Vec<u8>>>);

const LIMIT: usize = 100;

impl Items for Memory {
    fn get(&self, name: &str) -> Result<Option<Secret<Vec<u8>>>> {
        Ok(self.0.borrow().get(name).cloned().map(Secret::new))
    }

    fn set(&self, name: &str, value: &Secret<Vec<u8>>) -> Result<()> {
        assert!(value.expose().len() <= LIMIT);
        self.0.borrow_mut().insert(name.to_owned(), value.expose().clone());
        Ok(())
    }

    fn delete(&self, name: &str) -> Result<()> {
        self.0.borrow_mut().remove(name);
        Ok(())
    }

    fn names(&self) -> Result<Vec<String>> {
        Ok(self.0.borrow().keys().cloned().collect())
    }
}

const NAMES: [&str; 7] = ["a", "a#0.0", "a#0.1", "a#0.2", "a#1.0", "a#1.1", "a#0.4095"];

/// Some items, each a byte that chooses its name, one with its length, and so many bytes; what is
/// left over is a value to set.
pub fn split(data: &[u8]) {
    let memory = Memory::default();
    let mut rest = data;
    while let [name, len, following @ ..] = rest
        && let Some((item, following)) = following.split_at_checked(usize::from(*len))
        && let Some(name) = NAMES.get(usize::from(*name))
    {
        memory.0.borrow_mut().insert((*name).to_owned(), item.to_vec());
        rest = following;
    }
    let items = Split::new(memory, LIMIT, StoreKind::Keychain);
    match items.get("a") {
        Ok(_) | Err(Error::Store(StoreError { fault: StoreFault::Corrupt, .. })) => {}
        Err(other) => panic!("{other:?}"),
    }
    let value = Secret::new(rest.to_vec());
    items.set("a", &value).expect("the value is set whatever was there");
    assert_eq!(items.get("a").expect("the value is read").as_ref(), Some(&value));
    assert_eq!(items.names().expect("names are listed"), ["a"]);
    items.delete("a").expect("the value is deleted");
    assert_eq!(items.get("a").expect("nothing is read"), None);
}
