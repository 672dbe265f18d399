//! Values of any size in a store that limits its items, as Windows does (2,560 bytes).
//!
//! The item of an entry holds its value, or tells where the chunks are that do. Chunks lie on one of
//! two sides, as `NAME#0.N` or `NAME#1.N`. A new value goes to the side that is not in use; then the
//! entry's item is set; then the other side is cleared. So a reader never follows the entry to what
//! is not there yet, and what a crash leaves over is cleared by the next change.
//!
//! The first byte of an entry's item says what follows: `=`, `+` or `-`, which are form 1. A digit there
//! is left to newer forms.

use std::io;

use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};

use super::{fault, seal};
use crate::error::{Error, Result, StoreFault};
use crate::secret::Secret;
use crate::terms::StoreKind;

/// How often a reader begins anew because a writer was faster.
const ATTEMPTS: usize = 16;

/// The most chunks that are looked for, so that a damaged item can't keep anybody busy.
const MOST_CHUNKS: u32 = 4096;

/// Named items of bytes.
pub trait Items {
    /// The item of this name; `None` where there is none.
    fn get(&self, name: &str) -> Result<Option<Secret<Vec<u8>>>>;

    /// Sets an item in place, or makes it.
    fn set(&self, name: &str, value: &Secret<Vec<u8>>) -> Result<()>;

    /// Removes an item; one that is not there is no error.
    fn delete(&self, name: &str) -> Result<()>;

    /// The names of all items of this DATA directory, in any order.
    fn names(&self) -> Result<Vec<String>>;
}

/// Entries of any size over items of at most `limit` bytes.
#[derive(Debug)]
pub struct Split<I> {
    items: I,
    limit: usize,
    store: StoreKind,
    sparing: bool,
}

/// What the item of an entry says.
enum Head {
    /// `=` and the value itself.
    Whole(Secret<Vec<u8>>),
    /// `+` and where the value is.
    Chunks(Chunks),
    /// `-`: the entry is being deleted, and gone for a reader.
    Gone,
}

/// Where the chunks of a value are, and what they must add up to.
struct Chunks {
    side: Side,
    count: u32,
    hash: [u8; SHA256_OUTPUT_LEN],
}

#[derive(Clone, Copy)]
enum Side {
    Zero = 0,
    One = 1,
}

impl<I: Items> Split<I> {
    /// Splits what is longer than `limit` bytes; an item can hold at least a hundred.
    pub const fn new(items: I, limit: usize, store: StoreKind) -> Self {
        Self { items, limit, store, sparing: false }
    }

    /// Where each look at an item takes long, and few values are long: what a crash left over of a long
    /// one stays there until the next long one, or the entry is deleted.
    #[must_use]
    pub fn sparing(self) -> Self {
        Self { sparing: true, ..self }
    }

    fn failed(&self, message: impl Into<String>) -> Error {
        fault(self.store, StoreFault::Failed, message, None)
    }

    /// The value that these chunks hold; `None` when they are not what the item says.
    fn join(&self, name: &str, chunks: &Chunks) -> Result<Option<Secret<Vec<u8>>>> {
        let mut value = Vec::with_capacity(chunks.count as usize * self.limit);
        for number in 0..chunks.count {
            let Some(chunk) = self.items.get(&chunk_name(name, chunks.side, number))? else {
                return Ok(None);
            };
            value.extend_from_slice(chunk.expose());
        }
        let value = Secret::new(value);
        let hash = digest(&SHA256, value.expose());
        Ok((hash.as_ref() == chunks.hash).then_some(value))
    }

    fn write_chunks(&self, name: &str, side: Side, value: &[u8]) -> Result<Secret<Vec<u8>>> {
        let mut count = 0;
        for chunk in value.chunks(self.limit) {
            if count == MOST_CHUNKS {
                return Err(
                    self.failed(format!("the value is too long for the {} store", self.store))
                );
            }
            let chunk = Secret::new(chunk.to_vec());
            self.items.set(&chunk_name(name, side, count), &chunk)?;
            count += 1;
        }
        let hash = digest(&SHA256, value);
        let hash = hash.as_ref().try_into().expect("SHA-256 has its own length");
        Chunks { side, count, hash }.encode().map_err(|error| self.failed(error.to_string()))
    }

    /// The head of an entry that is to be changed; what makes no sense is as good as gone.
    fn head(&self, name: &str) -> Result<Option<Head>> {
        match self.items.get(name) {
            Ok(item) => Ok(item.map(|item| Head::decode(&item).unwrap_or(Head::Gone))),
            Err(error) if is_fault(&error, &[StoreFault::Corrupt]) => Ok(Some(Head::Gone)),
            Err(error) => Err(error),
        }
    }

    /// Removes all chunks of a side, from the last to the first: what is left has no gap, so that
    /// whoever comes after a crash finds it all by counting up.
    fn clear(&self, name: &str, side: Side) -> Result<()> {
        let mut count = 0;
        while count < MOST_CHUNKS {
            let chunk = chunk_name(name, side, count);
            match self.items.get(&chunk) {
                Ok(None) => break,
                Ok(Some(_)) => {}
                // A crash may have left half a chunk, which not every store can tell from other trouble.
                Err(error) if is_fault(&error, &[StoreFault::Corrupt, StoreFault::Failed]) => {
                    self.items.delete(&chunk)?;
                }
                Err(error) => return Err(error),
            }
            count += 1;
        }
        (0..count).rev().try_for_each(|number| self.items.delete(&chunk_name(name, side, number)))
    }
}

impl<I: Items> Items for Split<I> {
    fn get(&self, name: &str) -> Result<Option<Secret<Vec<u8>>>> {
        let mut before = None;
        for _ in 0..ATTEMPTS {
            let Some(item) = self.items.get(name)? else { return Ok(None) };
            match Head::decode(&item) {
                Some(Head::Whole(value)) => return Ok(Some(value)),
                Some(Head::Gone) => return Ok(None),
                Some(Head::Chunks(chunks)) if before.as_ref() != Some(&item) => {
                    if let Some(value) = self.join(name, &chunks)? {
                        return Ok(Some(value));
                    }
                }
                None if item.expose().first().is_some_and(u8::is_ascii_digit) => {
                    let message = format!(
                        "the {} store's item for {name} was written by a newer oauthctl",
                        self.store
                    );
                    return Err(fault(self.store, StoreFault::Newer, message, None));
                }
                // Nobody wrote meanwhile, or nobody of ours ever did.
                Some(Head::Chunks(_)) | None => {
                    let message = format!("the {} store's item for {name} is damaged", self.store);
                    return Err(fault(self.store, StoreFault::Corrupt, message, None));
                }
            }
            before = Some(item);
        }
        Err(self.failed(format!(
            "the {} store's item for {name} changes faster than it can be read",
            self.store
        )))
    }

    fn set(&self, name: &str, value: &Secret<Vec<u8>>) -> Result<()> {
        let present = self.head(name)?;
        let fits = value.expose().len() < self.limit;
        if self.sparing && fits && matches!(present, Some(Head::Whole(_)) | None) {
            return self.items.set(name, &Head::whole(value));
        }
        let in_use = match present {
            Some(Head::Chunks(chunks)) => chunks.side,
            _ => Side::One,
        };
        let side = in_use.other();
        self.clear(name, side)?;
        let head = if fits {
            Head::whole(value)
        } else {
            // A part of a secret that nobody will ever read must not stay.
            self.write_chunks(name, side, value.expose())
                .inspect_err(|_| drop(self.clear(name, side)))?
        };
        self.items.set(name, &head)?;
        // The new value stands; what can't be cleared now is cleared by the next change.
        drop(self.clear(name, in_use));
        Ok(())
    }

    fn delete(&self, name: &str) -> Result<()> {
        if let Some(Head::Chunks(_)) = self.head(name)? {
            self.items.set(name, &Secret::new(b"-".to_vec()))?;
        }
        self.clear(name, Side::Zero)?;
        self.clear(name, Side::One)?;
        self.items.delete(name)
    }

    /// The names of entries; `#` is in the names of chunks alone.
    fn names(&self) -> Result<Vec<String>> {
        let names = self.items.names()?.into_iter();
        Ok(names.filter(|name| !name.contains('#')).collect())
    }
}

impl Head {
    fn whole(value: &Secret<Vec<u8>>) -> Secret<Vec<u8>> {
        Secret::new([b"=", value.expose().as_slice()].concat())
    }

    fn decode(item: &Secret<Vec<u8>>) -> Option<Self> {
        match item.expose().split_first()? {
            (b'=', value) => Some(Self::Whole(Secret::new(value.to_vec()))),
            (b'+', rest) => Chunks::decode(rest).map(Self::Chunks),
            (b'-', []) => Some(Self::Gone),
            _ => None,
        }
    }
}

impl Chunks {
    /// Eight random bytes in it tell two writings of one value apart.
    fn encode(&self) -> io::Result<Secret<Vec<u8>>> {
        let random: [u8; 8] = seal::random()?;
        let count = self.count.to_be_bytes();
        Ok(Secret::new([b"+", &[self.side as u8][..], &count, &self.hash, &random].concat()))
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (side, rest) = bytes.split_first()?;
        let (count, rest) = rest.split_first_chunk()?;
        let (hash, random) = rest.split_first_chunk()?;
        let side = match side {
            0 => Side::Zero,
            1 => Side::One,
            _ => return None,
        };
        let count = u32::from_be_bytes(*count);
        (count <= MOST_CHUNKS && random.len() == 8).then_some(Self { side, count, hash: *hash })
    }
}

impl Side {
    const fn other(self) -> Self {
        match self {
            Self::Zero => Self::One,
            Self::One => Self::Zero,
        }
    }
}

fn is_fault(error: &Error, faults: &[StoreFault]) -> bool {
    matches!(error, Error::Store(error) if faults.contains(&error.fault))
}

fn chunk_name(name: &str, side: Side, number: u32) -> String {
    format!("{name}#{}.{number}", side as u8)
}
