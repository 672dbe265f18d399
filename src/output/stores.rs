//! The token stores as `store status` and `store verify` tell of them: objects for programs, rows for
//! people.

use serde::Serialize;

use super::table::{Cell, Table, Tone};
use crate::terms::StoreKind;

/// What `store status` prints; its members and their order are part of the program's promise.
#[derive(Debug, Serialize)]
pub struct Status {
    /// The store that new entries go to.
    pub new_entries: NewEntries,
    /// Every store that has something, or could.
    pub stores: Vec<Standing>,
}

/// The store that new entries go to.
#[derive(Debug, Serialize)]
pub struct NewEntries {
    /// The store.
    pub store: StoreKind,
    /// Who named it: a flag, a variable, `config.toml` or `auto`.
    pub named_by: &'static str,
    /// What kept `auto` from the keychain.
    pub reason: Option<String>,
}

/// How a store stands.
#[derive(Debug, Serialize)]
pub struct Standing {
    /// The store.
    pub store: StoreKind,
    /// Whether it can be used now.
    pub status: Reach,
    /// What keeps it from being used.
    pub message: Option<String>,
    /// How many entries it has; none where it can't tell now.
    pub entries: Option<usize>,
    /// How many entries the index remembers to be there.
    pub remembered: usize,
    /// The profiles that these entries belong to.
    pub profiles: Vec<String>,
    /// Where it is.
    pub location: String,
}

/// Whether a store can be used now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Reach {
    /// It can.
    Ok,
    /// Somebody must unlock it first.
    Locked,
    /// It does not answer, or not as it should.
    Unreachable,
}

/// The stores as a table.
#[must_use]
pub fn standings(status: &Status) -> Table<7> {
    let header = ["STORE", "STATUS", "NEW ENTRIES", "ENTRIES", "PROFILES", "WHERE", "REMARK"];
    let mut table = Table::new(header);
    for standing in &status.stores {
        let reach = match standing.status {
            Reach::Ok => Cell::new("ok").tone(Tone::Good),
            Reach::Locked => Cell::new("locked").tone(Tone::Warning),
            Reach::Unreachable => Cell::new("unreachable").tone(Tone::Bad),
        };
        let new = Some(&status.new_entries).filter(|new| new.store == standing.store);
        let remarks = [standing.message.as_deref(), new.and_then(|new| new.reason.as_deref())];
        let entries = match standing.entries {
            Some(entries) => entries.to_string(),
            // All that is known of it.
            None => format!("{}?", standing.remembered),
        };
        table.row([
            standing.store.as_str().into(),
            reach,
            new.map_or("", |new| new.named_by).into(),
            Cell::new(&entries),
            Cell::new(&standing.profiles.join(" ")),
            Cell::new(&standing.location),
            Cell::new(&remarks.into_iter().flatten().collect::<Vec<_>>().join("; ")),
        ]);
    }
    table
}

/// What `store verify` tells of an entry or a file.
#[derive(Debug, Serialize)]
pub struct Verified {
    /// The store, where it is known.
    pub store: Option<StoreKind>,
    /// The profile that it belongs to, where it is an entry.
    pub profile: Option<String>,
    /// The entry, where it is one.
    pub entry: Option<String>,
    /// How it stands.
    pub status: Condition,
    /// What was found.
    pub message: String,
    /// What to do about it.
    pub advice: Option<String>,
}

/// How what was looked at stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Condition {
    /// As it should.
    Ok,
    /// It is of no use, and does no harm.
    Warning,
    /// It can't be used.
    Error,
}

/// What was verified as a table.
#[must_use]
pub fn verified(rows: &[Verified]) -> Table<5> {
    let mut table = Table::new(["STORE", "ENTRY", "STATUS", "FINDING", "WHAT TO DO"]);
    for row in rows {
        let status = match row.status {
            Condition::Ok => Cell::new("ok").tone(Tone::Good),
            Condition::Warning => Cell::new("warning").tone(Tone::Warning),
            Condition::Error => Cell::new("error").tone(Tone::Bad),
        };
        table.row([
            row.store.map_or("", StoreKind::as_str).into(),
            row.entry.as_deref().unwrap_or_default().into(),
            status,
            Cell::new(&row.message),
            row.advice.as_deref().unwrap_or_default().into(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::super::table::Layout;
    use super::*;

    const TERMINAL: Layout = Layout { width: Some(160), color: false };
    const PIPE: Layout = Layout { width: None, color: false };

    fn status() -> Status {
        let keychain = Standing {
            store: StoreKind::Keychain,
            status: Reach::Locked,
            message: Some("the keychain is locked".to_owned()),
            entries: None,
            remembered: 2,
            profiles: vec!["bindeo".to_owned(), "kabbage".to_owned()],
            location: "Secret Service".to_owned(),
        };
        let file = Standing {
            store: StoreKind::File,
            status: Reach::Ok,
            message: None,
            entries: Some(0),
            remembered: 0,
            profiles: Vec::new(),
            location: "/data/tokens".to_owned(),
        };
        let reason = Some("no keychain can be used".to_owned());
        let new_entries = NewEntries { store: StoreKind::File, named_by: "auto", reason };
        Status { new_entries, stores: vec![keychain, file] }
    }

    #[test]
    fn the_table_tells_which_store_is_in_use_and_what_each_holds() {
        assert_eq!(
            standings(&status()).render(TERMINAL),
            "STORE     STATUS  NEW ENTRIES  ENTRIES  PROFILES        WHERE           REMARK\n\
             keychain  locked               2?       bindeo kabbage  Secret Service  the keychain is locked\n\
             file      ok      auto         0                        /data/tokens    no keychain can be used\n"
        );
        assert!(standings(&status()).render(PIPE).starts_with(
            "keychain\tlocked\t\t2?\tbindeo kabbage\tSecret Service\tthe keychain is locked\nfile\t"
        ));
    }

    #[test]
    fn what_a_locked_store_has_is_null_for_programs() {
        let value = serde_json::to_value(status()).unwrap();
        assert_eq!(value["stores"][0]["entries"], serde_json::Value::Null);
        assert_eq!(value["stores"][0]["remembered"], 2);
        assert_eq!(value["stores"][1]["status"], "ok");
        assert_eq!(value["new_entries"]["named_by"], "auto");
    }

    #[test]
    fn a_finding_has_what_to_do_beside_it() {
        let row = Verified {
            store: Some(StoreKind::File),
            profile: Some("bindeo".to_owned()),
            entry: Some("bindeo@user".to_owned()),
            status: Condition::Warning,
            message: "left over".to_owned(),
            advice: Some("rm it".to_owned()),
        };
        assert_eq!(verified(&[row]).render(PIPE), "file\tbindeo@user\twarning\tleft over\trm it\n");
    }
}
