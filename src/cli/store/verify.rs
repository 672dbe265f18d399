use std::time::SystemTime;

use crate::cli::context::{Context, print};
use crate::cli::failure;
use crate::error::Error;
use crate::output::json;
use crate::output::stores::{Condition, Verified, verified};
use crate::session::inventory::Remembered;
use crate::session::leftover::Search;
use crate::session::vault::Vault;
use crate::session::verify::{self, Finding, Leftover, Verdict};
use crate::store::EntryName;
use crate::terms::StoreKind;

/// Looks at everything; where anything can't be used, that is told as any failure is.
pub(super) fn run(context: &Context, as_json: bool) -> anyhow::Result<u8> {
    super::check_profile(context)?;
    let only = context.global.profile.as_deref();
    let remembered = Remembered::read(&context.dirs.data, only)?;
    // Wherever an entry is, there it is read.
    let vault = Vault::new(context.place()?, None, &context.terminal);
    let mut findings = verify::entries(&vault, &remembered);
    let silent: Vec<_> = findings.iter().filter_map(silent).collect();
    let (remembered, silent) = (&remembered, &silent[..]);
    let now = SystemTime::now();
    findings.extend(Search { vault: &vault, remembered, only, silent, now }.run());
    let rows: Vec<_> = findings.iter().map(row).collect();
    let code = findings.iter().filter_map(error).map(failure::code_of).max();
    if let Some(code) = code {
        tell(context, &rows);
        return Ok(code);
    }
    if as_json {
        print(json::document(&rows).expose())?;
    } else {
        print(verified(&rows).render(context.layout()).as_bytes())?;
    }
    Ok(0)
}

/// The store that did not answer.
fn silent(finding: &Finding) -> Option<StoreKind> {
    finding.store.filter(|_| matches!(finding.verdict, Verdict::Unread(..)))
}

/// Why an entry can't be used.
const fn error(finding: &Finding) -> Option<&Error> {
    match &finding.verdict {
        Verdict::Line(error) | Verdict::Broken(error) | Verdict::Unread(_, error) => Some(error),
        _ => None,
    }
}

fn tell(context: &Context, rows: &[Verified]) {
    for row in rows {
        let (color, word) = match row.status {
            Condition::Ok => continue,
            Condition::Warning if context.global.quiet => continue,
            Condition::Warning => ("33", "warning"),
            Condition::Error => ("31", "error"),
        };
        context.terminal.line(color, word, &row.message);
        if let Some(advice) = &row.advice {
            context.terminal.line("36", "hint", advice);
        }
    }
}

fn row(finding: &Finding) -> Verified {
    let Finding { store, name, verdict } = finding;
    let entry = name.as_ref().map_or("", EntryName::as_str);
    let kind = store.map_or("", StoreKind::as_str);
    let (status, message) = match verdict {
        Verdict::Sound => (Condition::Ok, "it can be read".to_owned()),
        Verdict::Empty => (Condition::Ok, "it is empty".to_owned()),
        Verdict::Line(error) | Verdict::Broken(error) => (Condition::Error, error.sentence()),
        Verdict::Unread(count, error) => {
            let entries = if *count == 1 { "entry" } else { "entries" };
            let error = error.sentence();
            (
                Condition::Error,
                format!("{count} {entries} of the {kind} store can't be read: {error}"),
            )
        }
        Verdict::Unlisted(error) => {
            let error = error.sentence();
            (Condition::Warning, format!("what else the {kind} store has can't be told: {error}"))
        }
        Verdict::LeftOver(leftover) => (Condition::Warning, left_over(leftover, entry, kind)),
    };
    Verified {
        store: *store,
        profile: name.as_ref().map(|name| name.profile().to_owned()),
        entry: name.as_ref().map(|name| name.as_str().to_owned()),
        status,
        message,
        advice: failure::advice(finding),
    }
}

fn left_over(leftover: &Leftover, entry: &str, store: &str) -> String {
    match leftover {
        Leftover::Entry => {
            format!("the {store} store has an entry {entry} that the index does not know")
        }
        Leftover::Copy(kept) => {
            format!(
                "the {store} store has an old copy of the entry {entry}, which the {kept} store has"
            )
        }
        Leftover::Forgotten => {
            format!("the {store} store still has the entry {entry}, which was logged out")
        }
        Leftover::Journal(path) => {
            format!("the journal {} belongs to no entry, and nothing can open it", path.display())
        }
        Leftover::Temporary(path) => {
            format!("the temporary file {} was left over", path.display())
        }
    }
}
