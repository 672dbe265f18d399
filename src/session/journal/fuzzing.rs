//! What must hold of every journal, and of every answer that one holds.

#![allow(clippy::missing_panics_doc, reason = "to panic is all that they do")]

use std::path::Path;

use super::{Answer, AnswerHead, Found, Intent, found, length, place, sealed, start};
use crate::profile::dialect::ResponseDialect;
use crate::secret::Secret;
use crate::session::answer::adopt;
use crate::session::fuzzing::{unreadable, written_and_read};
use crate::session::record::Record;
use crate::store::EntryName;
use crate::store::seal::{self, Key};
use crate::wire::HttpResponse;
use crate::wire::fuzzing::first_line;
use crate::wire::redact::Redactor;

/// The bytes of a journal; and the same as what is in one: a line with an intent, and an answer.
pub fn journal(data: &[u8]) {
    let (path, name) = (Path::new("work@user.journal"), EntryName::new("work", "user"));
    // The key of the golden files.
    let key: Key = Secret::new([3; seal::KEY_LEN]);
    let read = |bytes: &[u8]| match found(path, &name, &key, bytes) {
        Ok(Found::Broken(error)) | Err(error) => {
            unreadable(&error);
            None
        }
        Ok(found) => Some(found),
    };
    read(data);

    let (intent, answer) = first_line(data);
    let Ok(intent) = serde_json::from_str::<Intent>(&intent) else { return };
    let start = start(path, &key, &intent).expect("little enough to seal");
    assert!(matches!(read(&start), Some(Found::Unanswered)));
    for end in 0..start.len() {
        assert!(!matches!(read(&start[..end]), Some(Found::Answered(_))), "{end}");
    }
    let answered = |sealed: &[u8]| {
        let (before, _) = start.split_last_chunk::<4>().expect("a length");
        let length = length(sealed).expect("little enough");
        match read(&[before, &length, sealed, &[0; 100]].concat()) {
            Some(Found::Answered(answered)) => Some(*answered),
            Some(found) => panic!("{found:?}"),
            None => None,
        }
    };
    let write = |answer: &Answer| sealed(path, &key, answer).expect("little enough to seal");
    let body = answer.to_vec().into();
    let response = HttpResponse { status: 200, body, ..HttpResponse::default() };
    let given = Answer { obtained_at: 1_750_000_000, response };
    adopted(&intent, &given);
    let read_back = answered(&write(&given)).expect("what was written is read");
    assert_eq!(members(&read_back), members(&(intent, given)));

    let plain = seal::seal(&key, &place(path, "answer"), answer).expect("little enough to seal");
    if let Some(odd) = answered(&plain) {
        let again = answered(&write(&odd.1)).expect("what was written is read");
        assert_eq!(members(&again), members(&odd));
        adopted(&odd.0, &odd.1);
    }
}

/// All that an intent and an answer say.
fn members((intent, answer): &(Intent, Answer)) -> (String, String, Vec<u8>) {
    let Answer { obtained_at, response } = answer;
    let content_type = response.content_type.clone();
    let head = AnswerHead { obtained_at: *obtained_at, status: response.status, content_type };
    let json = |text: serde_json::Result<String>| text.expect("it is JSON");
    (
        json(serde_json::to_string(intent)),
        json(serde_json::to_string(&head)),
        response.body.expose().clone(),
    )
}

/// Tokens that were granted can be stored.
fn adopted(intent: &Intent, answer: &Answer) {
    let dialect = ResponseDialect::default();
    let Ok(tokens) = adopt(intent, answer, &dialect, &Redactor::default()) else { return };
    assert!(tokens.expires_at.is_none_or(|end| end >= tokens.obtained_at));
    let journal_key = Secret::new([3; seal::KEY_LEN]);
    let generation = intent.generation;
    written_and_read(&Record { generation, tokens: Some(tokens), journal_key });
}
