//! What is left after a process was ended, judged by what server, store and journal say.

use std::collections::HashMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use oauthctl::sandbox::{Grant, Outcome as Decided};
use oauthctl::store::file::FileStore;
use oauthctl::store::{EntryName, Place, Store};

use super::{counts, journal, slot_file, wait_until};
use crate::support::Test;

/// What stands in a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Journal {
    /// There is none, or one that was not begun.
    Absent,
    /// A request that may have been sent.
    Intent,
    /// A request and its answer.
    Answer,
}

/// Where the refresh token is that the server gave last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Newest {
    Stored,
    Journaled,
    /// The process was ended between the server's commit and its own.
    Nowhere,
}

/// How far a process came before it was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// It had not even the lock.
    Started,
    /// It had the lock, or a journal that was not begun.
    Locked,
    /// Its intent was written down, and the server was not asked.
    Intended,
    /// The server had spent the refresh token, and the answer was not in the journal.
    Unanswered,
    /// The answer was in the journal alone.
    Journaled,
    /// The answer was stored, and the journal was still there.
    Stored,
    /// All was done.
    Cleaned,
}

/// What is known of a process that was ended.
#[derive(Debug)]
pub struct Evidence {
    pub stage: Stage,
    pub newest: Newest,
    pub journal: Journal,
    /// The requests that the server carried out for it.
    pub granted: u64,
}

impl Evidence {
    /// What the process of this id left, that began when so many requests had come.
    #[track_caller]
    pub fn gather(test: &Test, pid: u32, before: u64) -> Self {
        settle(test);
        let granted = counts(test).refresh_token - before;
        let (journal, stored) = (journal_state(&journal(test)), is_stored(test));
        let newest = match (stored, journal) {
            (true, _) => Newest::Stored,
            (false, Journal::Answer) => Newest::Journaled,
            (false, _) => Newest::Nowhere,
        };
        let lock = fs::read_to_string(slot_file(test, "locks", ".lock")).unwrap_or_default();
        let stage = match (granted, newest, journal) {
            (0, ..) if lock != pid.to_string() => Stage::Started,
            (0, _, Journal::Intent) => Stage::Intended,
            (0, ..) => Stage::Locked,
            (_, Newest::Nowhere, _) => Stage::Unanswered,
            (_, Newest::Journaled, _) => Stage::Journaled,
            (_, Newest::Stored, Journal::Absent) => Stage::Cleaned,
            (_, Newest::Stored, _) => Stage::Stored,
        };
        Self { stage, newest, journal, granted }
    }
}

/// Reads what a journal says in clear: after magic and generation, two blocks with their lengths in front.
pub fn journal_state(path: &Path) -> Journal {
    let Ok(bytes) = fs::read(path) else { return Journal::Absent };
    let number = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    match number(17).filter(|&length| length > 0) {
        None => Journal::Absent,
        Some(length) if number(21 + length as usize).is_some_and(|length| length > 0) => {
            Journal::Answer
        }
        Some(_) => Journal::Intent,
    }
}

/// The record that the store holds; it must be whole.
#[track_caller]
pub fn record(test: &Test) -> Vec<u8> {
    let place = Place {
        data_dir: test.data(),
        timeout: Duration::from_secs(30),
        person: None,
        file_key: None,
        helper: None,
    };
    let entry = FileStore::open(&place).unwrap().get(&EntryName::new("standard", "user"));
    let bytes = entry.unwrap().expect("there is a record").expose().clone();
    serde_json::from_slice::<serde_json::Value>(&bytes).expect("the record is whole");
    bytes
}

/// Whether the store has the refresh token that the server gave last.
#[track_caller]
pub fn is_stored(test: &Test) -> bool {
    let (record, newest) = (record(test), test.refresh_token());
    record.windows(newest.len()).any(|window| window == newest.as_bytes())
}

/// Returns once the server has seen to all that was sent to it, by processes that are gone as well.
///
/// Connections are taken in their order: once this one is answered, all earlier ones are known.
#[track_caller]
pub fn settle(test: &Test) {
    let mut connection = TcpStream::connect(test.server().address()).unwrap();
    connection.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    connection.read_to_end(&mut Vec::new()).unwrap();
    drop(connection);
    wait_until(|| test.server().connections() == 0);
}

/// No refresh token was sent twice but for these; and each of them twice at most.
#[track_caller]
pub fn assert_sent_once(test: &Test, retried: &[String]) {
    let mut sent: HashMap<String, usize> = HashMap::new();
    for request in test.server().requests() {
        if request.grant == Some(Grant::RefreshToken) {
            assert!(request.outcome != Decided::Struck);
            *sent.entry(presented(request.body.expose())).or_default() += 1;
        }
    }
    for (token, times) in sent {
        let allowed = if retried.contains(&token) { 2 } else { 1 };
        assert!(times <= allowed, "a refresh token was sent {times} times");
    }
}

/// The refresh token that was sent last.
#[track_caller]
pub fn last_presented(test: &Test) -> String {
    let requests = test.server().requests();
    let last = requests.iter().rev().find(|request| request.grant == Some(Grant::RefreshToken));
    presented(last.expect("a refresh token was sent").body.expose())
}

fn presented(body: &[u8]) -> String {
    let body = std::str::from_utf8(body).unwrap();
    let token = body.split('&').find_map(|pair| pair.strip_prefix("refresh_token="));
    token.expect("a form with a refresh token").to_owned()
}
