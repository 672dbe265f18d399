//! What makes a renewal safe against a crash: the server's answer, on disk before anything reads it.
//!
//! A journal begins as an INTENT, whose space is reserved before the request is sent, so that the
//! ANSWER can be written whatever else happens to the disk. Its form, numbers in big-endian order:
//!
//! | bytes | what |
//! | --- | --- |
//! | 8 | magic |
//! | 1 | version |
//! | 8 | generation that the answer would have |
//! | 4 + n | length and sealed header: what was asked |
//! | 4 + n | length and sealed answer; length 0 while it is an INTENT |
//!
//! What a crash can leave holds no answer, and is overwritten. What may hold one, or is not ours, is
//! set aside before that: with the record that belongs to it, it may still be opened.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{about, read_file};
use crate::durable;
use crate::error::{Error, Result};
use crate::secret::{self, Secret};
use crate::store::seal::{self, Key};
use crate::store::{EntryName, disk};
use crate::terms::{GrantType, StoreKind};
use crate::token::{Asked, UnixTime};
use crate::wire::HttpResponse;

const MAGIC: &[u8; 8] = b"octlj\0\0\0";

/// The version of the form that this program writes; there is no older one.
const VERSION: u8 = 1;

/// The length of an answer that isn't there.
const NO_ANSWER: [u8; 4] = [0; 4];

/// The least space that is reserved: an answer is read within 1 MiB, but none is near that.
const RESERVE: usize = 64 * 1024;

/// What a request asked for: all that its answer may leave out.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Intent {
    /// The generation that the answer would have.
    pub generation: u64,
    /// The grant that began the session.
    pub grant_type: GrantType,
    /// What the tokens will be bound to.
    pub asked: Asked,
    /// The scope that holds where the answer names none.
    pub scope: Vec<String>,
    /// The refresh token that stays where the answer has none.
    #[serde(serialize_with = "secret::maybe_exposed")]
    pub refresh_token: Option<Secret>,
    /// The ID token that stays where the answer has none.
    #[serde(serialize_with = "secret::maybe_exposed")]
    pub id_token: Option<Secret>,
    /// Whether that one was verified.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub id_token_verified: bool,
    /// What a new ID token must repeat.
    #[serde(
        serialize_with = "secret::maybe_exposed",
        skip_serializing_if = "Option::is_none",
        default
    )]
    pub nonce: Option<Secret>,
}

/// The raw answer to a request.
#[derive(Debug)]
pub(super) struct Answer {
    /// When it was asked for.
    pub obtained_at: UnixTime,
    /// The answer itself.
    pub response: HttpResponse,
}

/// A journal that is open for its answer.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    answer_at: u64,
}

/// What a journal was found to hold.
#[derive(Debug)]
pub(super) enum Found {
    /// There is none.
    Nothing,
    /// A request whose answer is unknown, or a journal that was torn before it held one.
    Unanswered,
    /// Something that can't be read, and that may be an answer all the same.
    Broken(Error),
    /// An answer that may not have reached the store.
    Answered(Box<(Intent, Answer)>),
}

#[derive(Serialize, Deserialize)]
struct AnswerHead {
    obtained_at: UnixTime,
    status: u16,
    content_type: Option<String>,
}

impl Journal {
    /// Writes an intent and reserves the space of its answer; nothing may be sent before.
    pub(crate) fn begin(
        path: &Path,
        key: &Key,
        intent: &Intent,
        record_len: usize,
    ) -> Result<Self> {
        let was_there = path.symlink_metadata().is_ok();
        Self::write_intent(path, key, intent, record_len).map_err(|error| {
            // A torn one would say that something may have been sent.
            if !was_there {
                let _ = super::remove_file(path);
            }
            match disk::failed(StoreKind::File, "write the journal", path, error) {
                Error::Store(mut error) => {
                    error.message.push_str(", so nothing was sent");
                    error.into()
                }
                other => other,
            }
        })
    }

    fn write_intent(
        path: &Path,
        key: &Key,
        intent: &Intent,
        record_len: usize,
    ) -> io::Result<Self> {
        if let Some(directory) = path.parent() {
            durable::create_dir(directory)?;
        }
        let start = start(path, key, intent)?;
        let answer_at = (start.len() - NO_ANSWER.len()) as u64;
        let mut file = durable::open_private(path)?;
        durable::allocate(&mut file, (start.len() + RESERVE.max(4 * record_len)) as u64)?;
        file.rewind()?;
        file.write_all(&start)?;
        file.sync_all()?;
        durable::sync_parent(path)?;
        Ok(Self { path: path.to_owned(), file, answer_at })
    }

    /// Writes the answer, sealed, into the reserved space: from here on it can't be lost.
    pub(crate) fn commit(&mut self, key: &Key, answer: &Answer) -> io::Result<()> {
        let sealed = sealed(&self.path, key, answer)?;
        // The length goes in front last: until it is there, this is still an intent.
        self.file.seek(SeekFrom::Start(self.answer_at + 4))?;
        self.file.write_all(&sealed)?;
        self.file.seek(SeekFrom::Start(self.answer_at))?;
        self.file.write_all(&length(&sealed)?)?;
        self.file.sync_data()
    }
}

/// The beginning of a journal, up to the length of an answer that isn't there yet.
fn start(path: &Path, key: &Key, intent: &Intent) -> io::Result<Vec<u8>> {
    let header = Secret::new(serde_json::to_vec(intent)?);
    let sealed = seal::seal(key, &place(path, "intent"), header.expose())?;
    let mut start = Vec::from(MAGIC);
    start.push(VERSION);
    start.extend_from_slice(&intent.generation.to_be_bytes());
    start.extend_from_slice(&length(&sealed)?);
    start.extend_from_slice(&sealed);
    start.extend_from_slice(&NO_ANSWER);
    Ok(start)
}

/// An answer as it stands in a journal.
fn sealed(path: &Path, key: &Key, answer: &Answer) -> io::Result<Vec<u8>> {
    let head = serde_json::to_vec(&AnswerHead {
        obtained_at: answer.obtained_at,
        status: answer.response.status,
        content_type: answer.response.content_type.clone(),
    })?;
    let plain = Secret::new([&head[..], b"\n", answer.response.body.expose()].concat());
    seal::seal(key, &place(path, "answer"), plain.expose())
}

/// Reads what the journal of this entry holds; one of a newer form is an error.
pub(crate) fn read(path: &Path, name: &EntryName, key: &Key) -> Result<Found> {
    let bytes = match read_file(path, name) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Ok(Found::Nothing),
        Err(error) if super::is_broken(&error) => return Ok(Found::Broken(error)),
        Err(error) => return Err(error),
    };
    found(path, name, key, &bytes)
}

/// What the bytes of a journal hold.
fn found(path: &Path, name: &EntryName, key: &Key, bytes: &[u8]) -> Result<Found> {
    let broken = |what| disk::broken(StoreKind::File, path, about(name), what);
    let newer = || disk::newer(StoreKind::File, path, about(name));
    let (header, answer) = match part(bytes) {
        None => return Ok(Found::Broken(broken("is damaged"))),
        Some(Part::Newer) => return Err(newer()),
        Some(Part::Reserved) => return Ok(Found::Unanswered),
        Some(Part::Intent { header }) => (header, None),
        Some(Part::Answer { generation, header, sealed }) => (header, Some((generation, sealed))),
    };
    let opened = seal::open(key, &place(path, "intent"), header.to_vec());
    Ok(match (opened, answer) {
        (Err(seal::Broken::Newer), _) => return Err(newer()),
        (Err(seal::Broken::Corrupt), _) => Found::Broken(broken("is damaged")),
        (Err(seal::Broken::WrongKey), Some(_)) => {
            Found::Broken(broken("holds an answer that the session's key can't open"))
        }
        (_, None) => Found::Unanswered,
        (Ok(header), Some((generation, sealed))) => {
            answered(path, key, generation, &header, sealed).map_or_else(
                || Found::Broken(broken("is damaged")),
                |found| Found::Answered(Box::new(found)),
            )
        }
    })
}

/// How far a journal was written.
enum Part<'a> {
    Reserved,
    Intent { header: &'a [u8] },
    Answer { generation: u64, header: &'a [u8], sealed: &'a [u8] },
    Newer,
}

/// The part that these bytes are of; `None` where no crash could have left them.
fn part(bytes: &[u8]) -> Option<Part<'_>> {
    if MAGIC.starts_with(bytes) || bytes.iter().all(|&byte| byte == 0) {
        return Some(Part::Reserved);
    }
    let (&version, rest) = bytes.strip_prefix(MAGIC)?.split_first()?;
    if version > VERSION {
        return Some(Part::Newer);
    }
    let (generation, rest) = rest.split_first_chunk::<8>().filter(|_| version == VERSION)?;
    let (header, rest) = block(rest)?;
    let (sealed, _) = block(rest)?;
    let generation = u64::from_be_bytes(*generation);
    Some(match sealed {
        [] => Part::Intent { header },
        _ => Part::Answer { generation, header, sealed },
    })
}

fn answered(
    path: &Path,
    key: &Key,
    generation: u64,
    header: &Secret<Vec<u8>>,
    sealed: &[u8],
) -> Option<(Intent, Answer)> {
    let intent: Intent = serde_json::from_slice(header.expose()).ok()?;
    if intent.generation != generation {
        return None;
    }
    let plain = seal::open(key, &place(path, "answer"), sealed.to_vec()).ok()?;
    let end = plain.expose().iter().position(|&byte| byte == b'\n')?;
    let (head, body) = plain.expose().split_at(end);
    let head: AnswerHead = serde_json::from_slice(head).ok()?;
    let response = HttpResponse {
        status: head.status,
        content_type: head.content_type,
        body: Secret::new(body.get(1..)?.to_vec()),
        ..HttpResponse::default()
    };
    Some((intent, Answer { obtained_at: head.obtained_at, response }))
}

/// A block of bytes with its length in front, and what follows it.
fn block(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

fn length(bytes: &[u8]) -> io::Result<[u8; 4]> {
    u32::try_from(bytes.len())
        .map(u32::to_be_bytes)
        .map_err(|_| io::Error::other("too large for a journal"))
}

/// What a block is bound to: the slot, by its file's name, and its own part.
fn place(path: &Path, part: &str) -> Vec<u8> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    format!("journal {part} {name}").into_bytes()
}

#[cfg(any(test, fuzzing))]
pub(super) mod fuzzing;
#[cfg(test)]
mod tests;
