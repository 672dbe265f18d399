//! What makes a renewal safe against a crash: the server's answer, on disk before anything reads it.
//!
//! A journal begins as an INTENT, whose space is reserved before the request is sent, so that the
//! ANSWER can be written whatever else happens to the disk. Its form, numbers in big-endian order:
//!
//! | bytes | what |
//! | --- | --- |
//! | 9 | magic and version |
//! | 8 | generation that the answer would have |
//! | 4 + n | length and sealed header: what was asked |
//! | 4 + n | length and sealed answer; length 0 while it is an INTENT |

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::fault;
use crate::durable;
use crate::error::Result;
use crate::secret::{self, Secret};
use crate::store::seal::{self, Key};
use crate::terms::GrantType;
use crate::token::{Asked, UnixTime};
use crate::wire::HttpResponse;

const MAGIC: &[u8; 9] = b"octlj\0\0\0\x01";

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
    /// A request whose answer is unknown, or a journal that was torn.
    Unanswered,
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
        let was_there = path.exists();
        Self::write_intent(path, key, intent, record_len).map_err(|error| {
            // A torn one would say that something may have been sent.
            if !was_there {
                let _ = remove(path);
            }
            fault(format!("can't write the journal {}, so nothing was sent", path.display()), error)
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
        let header = serde_json::to_vec(intent)?;
        let sealed = seal::seal(key, &place(path, "intent"), &header)?;
        let mut start = Vec::from(MAGIC);
        start.extend_from_slice(&intent.generation.to_be_bytes());
        start.extend_from_slice(&length(&sealed)?);
        start.extend_from_slice(&sealed);
        let answer_at = start.len() as u64;
        start.extend_from_slice(&[0; 4]);
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
        let head = AnswerHead {
            obtained_at: answer.obtained_at,
            status: answer.response.status,
            content_type: answer.response.content_type.clone(),
        };
        let mut plain = Secret::new(serde_json::to_vec(&head)?);
        let body = answer.response.body.expose();
        let mut whole = Vec::with_capacity(plain.expose().len() + 1 + body.len());
        whole.extend_from_slice(plain.expose());
        whole.push(b'\n');
        whole.extend_from_slice(body);
        plain = Secret::new(whole);
        let sealed = seal::seal(key, &place(&self.path, "answer"), plain.expose())?;
        // The length goes in front last: until it is there, this is still an intent.
        self.file.seek(SeekFrom::Start(self.answer_at + 4))?;
        self.file.write_all(&sealed)?;
        self.file.seek(SeekFrom::Start(self.answer_at))?;
        self.file.write_all(&length(&sealed)?)?;
        self.file.sync_data()
    }
}

/// Reads what a journal holds; whatever can't be opened with the slot's own key was torn.
pub(crate) fn read(path: &Path, key: &Key) -> Result<Found> {
    let bytes = super::read_file(path)
        .map_err(|error| fault(format!("can't read the journal {}", path.display()), error))?;
    let Some(bytes) = bytes else { return Ok(Found::Nothing) };
    Ok(answered(path, key, &bytes)
        .map_or(Found::Unanswered, |found| Found::Answered(Box::new(found))))
}

fn answered(path: &Path, key: &Key, bytes: &[u8]) -> Option<(Intent, Answer)> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let (generation, rest) = rest.split_first_chunk::<8>()?;
    let (header, rest) = block(rest)?;
    let (sealed, _) = block(rest)?;
    if sealed.is_empty() {
        return None;
    }
    let header = seal::open(key, &place(path, "intent"), header.to_vec()).ok()?;
    let intent: Intent = serde_json::from_slice(header.expose()).ok()?;
    if intent.generation != u64::from_be_bytes(*generation) {
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

/// Removes a journal; one that is not there is no error.
pub(super) fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(fault(format!("can't remove the journal {}", path.display()), error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intent() -> Intent {
        Intent {
            generation: 7,
            grant_type: GrantType::Password,
            asked: Asked::default(),
            scope: vec![],
            refresh_token: None,
            id_token: None,
        }
    }

    fn answer() -> Answer {
        Answer {
            obtained_at: 42,
            response: HttpResponse {
                status: 200,
                content_type: Some("application/json".into()),
                body: Secret::new(b"{\"access_token\":\"hunter2\"}\n".to_vec()),
                ..HttpResponse::default()
            },
        }
    }

    fn key() -> Key {
        Secret::new([3; 32])
    }

    #[test]
    fn an_answer_is_read_back_and_never_stands_in_clear() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journals/a@user.journal");
        assert!(matches!(read(&path, &key()).unwrap(), Found::Nothing));
        let mut journal = Journal::begin(&path, &key(), &intent(), 100).unwrap();
        assert!(matches!(read(&path, &key()).unwrap(), Found::Unanswered));
        journal.commit(&key(), &answer()).unwrap();
        let Found::Answered(found) = read(&path, &key()).unwrap() else { panic!("no answer") };
        assert_eq!(found.0.generation, 7);
        assert_eq!(found.1.obtained_at, 42);
        assert_eq!(found.1.response.body.expose(), answer().response.body.expose());
        let bytes = std::fs::read(&path).unwrap();
        assert!(!bytes.windows(7).any(|window| window == b"hunter2"));
        assert!(matches!(read(&path, &Secret::new([4; 32])).unwrap(), Found::Unanswered));
    }

    #[test]
    fn a_journal_torn_anywhere_holds_no_answer() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a@user.journal");
        let mut journal = Journal::begin(&path, &key(), &intent(), 0).unwrap();
        let before = std::fs::read(&path).unwrap();
        journal.commit(&key(), &answer()).unwrap();
        let after = std::fs::read(&path).unwrap();
        let end = after.iter().rposition(|&byte| byte != 0).unwrap();
        for cut in (0..=end).step_by(7) {
            // A part of the new bytes reached the disk, the rest didn't.
            let torn = [&after[..cut], &before[cut..]].concat();
            std::fs::write(&path, torn).unwrap();
            assert!(!matches!(read(&path, &key()).unwrap(), Found::Answered(_)), "{cut}");
            std::fs::write(&path, &after[..cut]).unwrap();
            assert!(!matches!(read(&path, &key()).unwrap(), Found::Answered(_)), "{cut}");
        }
    }
}
