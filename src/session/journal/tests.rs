use super::*;
use crate::error::StoreFault;

fn intent() -> Intent {
    Intent {
        generation: 7,
        grant_type: GrantType::Password,
        asked: Asked::default(),
        scope: vec![],
        refresh_token: None,
        id_token: None,
        id_token_verified: false,
        nonce: None,
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

fn read(path: &Path, key: &Key) -> Result<Found> {
    super::read(path, &EntryName::new("a", "user"), key)
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
    assert!(matches!(read(&path, &Secret::new([4; 32])).unwrap(), Found::Broken(_)));
}

#[test]
fn a_journal_torn_anywhere_holds_no_answer_and_its_answer_is_never_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a@user.journal");
    let mut journal = Journal::begin(&path, &key(), &intent(), 0).unwrap();
    let before = std::fs::read(&path).unwrap();
    journal.commit(&key(), &answer()).unwrap();
    let after = std::fs::read(&path).unwrap();
    let end = after.iter().rposition(|&byte| byte != 0).unwrap();
    let found = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        read(&path, &key()).unwrap()
    };
    for cut in 0..=end {
        // A part of the new bytes reached the disk, the rest didn't.
        let torn = found(&[&after[..cut], &before[cut..]].concat());
        assert!(matches!(torn, Found::Unanswered | Found::Broken(_)), "{cut}");
        let short = found(&after[..cut]);
        let is_begun = cut > MAGIC.len();
        assert!(!matches!(short, Found::Answered(_)), "{cut}");
        assert_eq!(matches!(short, Found::Broken(_)), is_begun, "{cut}");
    }
    for at in 0..=end {
        let mut flipped = after.clone();
        flipped[at] ^= 1;
        assert!(matches!(found(&flipped), Found::Broken(_)), "{at}");
    }
}

fn read_of(path: &Path, bytes: &[u8]) -> Result<Found> {
    std::fs::write(path, bytes).unwrap();
    read(path, &key())
}

#[test]
fn what_a_crash_leaves_before_the_request_is_an_intent() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a@user.journal");
    for bytes in [&b""[..], b"octlj", &[0; 9], &vec![0; 70_000]] {
        assert!(matches!(read_of(&path, bytes).unwrap(), Found::Unanswered));
    }
}

#[test]
fn a_newer_form_is_told_whatever_follows() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a@user.journal");
    let newer = [MAGIC, &[VERSION + 1][..], b"whatever"].concat();
    match read_of(&path, &newer) {
        Err(Error::Store(error)) => assert_eq!(error.fault, StoreFault::Newer),
        other => panic!("{other:?}"),
    }
}

const INTENT: &[u8] = include_bytes!("../../../tests/golden/journal-1-intent");
const ANSWER: &[u8] = include_bytes!("../../../tests/golden/journal-1-answer");

/// What the golden journals hold: all that a journal can have. A new field makes a new version.
fn golden() -> (Intent, Answer) {
    let words = || vec!["read".to_owned(), "write".to_owned()];
    let asked = Asked {
        issuer: Some("https://id.example.com".into()),
        token_endpoint: Some("https://id.example.com/token".into()),
        client_id: Some("client".into()),
        audience: Some("https://api.example.com".into()),
        username: Some("alice".into()),
        scope: words(),
    };
    let intent = Intent {
        generation: 8,
        grant_type: GrantType::Password,
        asked,
        scope: words(),
        refresh_token: Some(Secret::from("golden-refresh-token")),
        id_token: Some(Secret::from("golden-id-token")),
        id_token_verified: false,
        nonce: None,
    };
    let body = br#"{"access_token":"golden-new-access-token","token_type":"Bearer","expires_in":2352444800,"refresh_token":"golden-new-refresh-token"}"#;
    let response = HttpResponse {
        status: 200,
        content_type: Some("application/json".into()),
        body: Secret::new(body.to_vec()),
        ..HttpResponse::default()
    };
    (intent, Answer { obtained_at: 1_750_000_000, response })
}

/// The parts of an answered journal in clear, and how long they are sealed.
fn parts(path: &Path, bytes: &[u8]) -> [(u64, usize, Vec<u8>); 2] {
    let Some(Part::Answer { generation, header, sealed }) = part(bytes) else {
        panic!("no answer")
    };
    [("intent", header), ("answer", sealed)].map(|(part, sealed)| {
        let plain = seal::open(&key(), &place(path, part), sealed.to_vec()).unwrap();
        (generation, sealed.len(), plain.expose().clone())
    })
}

#[test]
fn every_form_is_read_and_the_newest_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("work@user.journal");
    assert!(matches!(read_of(&path, INTENT).unwrap(), Found::Unanswered));
    let Found::Answered(found) = read_of(&path, ANSWER).unwrap() else { panic!("no answer") };
    let (intent, answer) = golden();
    assert_eq!(serde_json::to_value(&found.0).unwrap(), serde_json::to_value(&intent).unwrap());
    assert_eq!(found.1.obtained_at, answer.obtained_at);
    assert_eq!(found.1.response.status, answer.response.status);
    assert_eq!(found.1.response.content_type, answer.response.content_type);
    assert_eq!(found.1.response.body, answer.response.body);

    let mut journal = Journal::begin(&path, &key(), &intent, 0).unwrap();
    let written = std::fs::read(&path).unwrap();
    assert_eq!((written.len(), &written[..17]), (INTENT.len(), &INTENT[..17]));
    journal.commit(&key(), &answer).unwrap();
    let written = std::fs::read(&path).unwrap();
    assert_eq!((written.len(), &written[..17]), (ANSWER.len(), &ANSWER[..17]));
    assert_eq!(parts(&path, &written), parts(&path, ANSWER));
}
