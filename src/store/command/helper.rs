//! The items that a helper keeps, as one call of the store finds and changes them.
//!
//! Few helpers replace an item in one step: what `pass` is writing is empty for a moment, and lost when
//! the disk is full; others remove the old item first. So an entry is written aside first, and what can't
//! be read whole is looked for there.

use std::time::{Duration, Instant};

use super::protocol::{self, Garbled};
use crate::error::{Error, Result, StoreFault};
use crate::program::{self, Ended, Fault, Program};
use crate::secret::Secret;
use crate::store::split::Items;
use crate::store::{Helper, Place, fault};
use crate::terms::StoreKind;
use crate::wire::redact::{Redactor, brief};

/// The most that a helper may print, in bytes: a list may have others' credentials in it.
const LIMIT: usize = 4 << 20;

/// The most of a helper's words that is shown, in characters.
const MOST_WORDS: usize = 300;

/// A call of the store, which asks the helper as often as need be.
pub(super) struct Call<'a> {
    helper: &'a Helper,
    installation: &'a str,
    may_prompt: bool,
    begun: Instant,
    deadline: Duration,
}

/// What a helper is asked for.
#[derive(Clone, Copy)]
enum Action {
    Get,
    Store,
    Erase,
    List,
}

/// What a helper answers.
enum Answer {
    /// It did what it was asked for, and printed this.
    Done(Secret<Vec<u8>>),
    /// It has no such item.
    NotFound,
}

impl<'a> Call<'a> {
    /// Begins the call.
    pub(super) fn begin(helper: &'a Helper, installation: &'a str, place: &Place) -> Self {
        Self {
            helper,
            installation,
            may_prompt: place.person.is_some(),
            begun: Instant::now(),
            deadline: place.deadline(),
        }
    }

    /// Shows that an item could be set, and leaves it as it is.
    pub(super) fn rehearse(&self, name: &str) -> Result<()> {
        let Some(value) = self.get(name)? else { return Ok(()) };
        let aside = aside(name);
        self.write(&aside, &value)?;
        self.erase(&aside)
    }

    fn read(&self, name: &str) -> Result<Option<Secret<Vec<u8>>>> {
        let url = self.url(name)?;
        let url = Secret::new(url.into_bytes());
        match self.ask(Action::Get, name, Some(&url), &Redactor::default())? {
            Answer::Done(printed) => {
                protocol::value(printed.expose()).map_err(|garbled| self.garbled(garbled, name))
            }
            Answer::NotFound => Ok(None),
        }
    }

    /// What was written is read again: not every helper says when it failed.
    fn write(&self, name: &str, value: &Secret<Vec<u8>>) -> Result<()> {
        let secret = protocol::seal(value);
        let credential = protocol::credential(&self.url(name)?, &secret);
        self.ask(Action::Store, name, Some(&credential), &Redactor::new([secret]))?;
        match self.read(name)? {
            Some(kept) if kept == *value => Ok(()),
            _ => {
                let program = self.program();
                Err(failed(format!("the helper {program} did not keep what was written to {name}")))
            }
        }
    }

    fn erase(&self, name: &str) -> Result<()> {
        let url = Secret::new(self.url(name)?.into_bytes());
        let erased = self.ask(Action::Erase, name, Some(&url), &Redactor::default());
        match erased {
            Err(error) if is_failed(&error) => match self.read(name) {
                // It found nothing to remove.
                Ok(None) => Ok(()),
                _ => Err(error),
            },
            erased => erased.map(|_| ()),
        }
    }

    fn ask(
        &self,
        action: Action,
        name: &str,
        input: Option<&Secret<Vec<u8>>>,
        redactor: &Redactor,
    ) -> Result<Answer> {
        let timeout = self.deadline.saturating_sub(self.begun.elapsed());
        if timeout.is_zero() {
            return Err(self.not_ended(&Fault::TimedOut));
        }
        let words: Vec<String> =
            self.helper.words.iter().cloned().chain([action.word().to_owned()]).collect();
        let program =
            Program { words: &words, input, limit: LIMIT, timeout, may_prompt: self.may_prompt };
        let safe = |text: &str| brief(protocol::hide(&redactor.beginning(text)).trim(), MOST_WORDS);
        let mut last = String::new();
        let ended = program.run(&mut |line| {
            last = safe(line);
            self.helper.report.note(&format!("{}: {last}", self.program()));
        });
        let Ended { status, printed } = ended.map_err(|fault| self.not_ended(&fault))?;
        if status.success() {
            return Ok(Answer::Done(printed));
        }
        let words = String::from_utf8_lossy(printed.expose());
        if protocol::is_not_found(&words) {
            return Ok(Answer::NotFound);
        }
        let words = Some(safe(&words)).filter(|words| !words.is_empty()).unwrap_or(last);
        let message =
            format!("the helper {} failed to {} ({status})", self.program(), action.deed(name));
        let cause = Some(words).filter(|words| !words.is_empty()).map(Into::into);
        Err(fault(StoreKind::Command, StoreFault::Failed, message, cause))
    }

    fn program(&self) -> &str {
        self.helper.words.first().map_or("", |word| program::name(word))
    }

    fn url(&self, name: &str) -> Result<String> {
        protocol::url(self.installation, name)
            .ok_or_else(|| failed(format!("{name:?} can't be part of a URL")))
    }

    fn garbled(&self, garbled: Garbled, name: &str) -> Error {
        let program = self.program();
        let (kind, message) = match garbled {
            Garbled::Answer => {
                (StoreFault::Failed, format!("the answer of the helper {program} makes no sense"))
            }
            Garbled::Item => {
                (StoreFault::Corrupt, format!("the item for {name} in {program} is damaged"))
            }
            Garbled::Newer => (
                StoreFault::Newer,
                format!(
                    "the item for {name} in {program} was written by a newer version of oauthctl"
                ),
            ),
        };
        fault(StoreKind::Command, kind, message, None)
    }

    fn not_ended(&self, why: &Fault) -> Error {
        let program = self.program();
        let (kind, message, cause) = match why {
            Fault::NotStarted(error) => {
                (StoreFault::Absent, format!("the helper {program} can't be run"), Some(error))
            }
            Fault::TimedOut => {
                let message =
                    format!("the helper {program} did not answer within {:?}", self.deadline);
                (StoreFault::TimedOut, message, None)
            }
            Fault::Flooded => {
                (StoreFault::Failed, format!("the helper {program} prints without end"), None)
            }
            Fault::Broken(error) => {
                (StoreFault::Failed, format!("the helper {program} failed"), Some(error))
            }
        };
        fault(StoreKind::Command, kind, message, cause.map(|error| error.to_string().into()))
    }
}

impl Items for Call<'_> {
    fn get(&self, name: &str) -> Result<Option<Secret<Vec<u8>>>> {
        let first = self.read(name);
        let is_whole = match &first {
            Ok(found) => found.is_some() || is_chunk(name),
            Err(error) => !is_failed(error) || is_chunk(name),
        };
        if is_whole {
            return first;
        }
        match self.read(&aside(name)) {
            Ok(Some(value)) => Ok(Some(value)),
            // Whoever was writing may be done by now.
            _ => self.read(name),
        }
    }

    fn set(&self, name: &str, value: &Secret<Vec<u8>>) -> Result<()> {
        if is_chunk(name) {
            return self.write(name, value);
        }
        let aside = aside(name);
        self.write(&aside, value)?;
        self.write(name, value)?;
        // The value stands; what is left aside is the same, until the next one is written over it.
        drop(self.erase(&aside));
        Ok(())
    }

    fn delete(&self, name: &str) -> Result<()> {
        if !is_chunk(name) {
            self.erase(&aside(name))?;
        }
        self.erase(name)
    }

    fn names(&self) -> Result<Vec<String>> {
        let printed = match self.ask(Action::List, "", None, &Redactor::default())? {
            Answer::Done(printed) => printed,
            Answer::NotFound => return Ok(Vec::new()),
        };
        let names = protocol::names(self.installation, printed.expose());
        let mut names = names.map_err(|garbled| self.garbled(garbled, ""))?;
        for name in &mut names {
            // What is aside alone is there all the same.
            if let Some(entry) = name.strip_suffix(ASIDE) {
                *name = entry.to_owned();
            }
        }
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }
}

impl Action {
    const fn word(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Store => "store",
            Self::Erase => "erase",
            Self::List => "list",
        }
    }

    fn deed(self, name: &str) -> String {
        match self {
            Self::Get => format!("read {name}"),
            Self::Store => format!("write {name}"),
            Self::Erase => format!("remove {name}"),
            Self::List => "list what it keeps".to_owned(),
        }
    }
}

/// Where an entry is written before its item is; `~` is in no entry's name.
const ASIDE: &str = "~new";

fn aside(name: &str) -> String {
    format!("{name}{ASIDE}")
}

/// Whether it is a part of a value that nobody reads before it is whole.
fn is_chunk(name: &str) -> bool {
    name.contains('#')
}

/// Whether the helper had something to say, which may be that what it found is not whole.
fn is_failed(error: &Error) -> bool {
    matches!(error, Error::Store(error) if matches!(error.fault, StoreFault::Failed | StoreFault::Corrupt))
}

fn failed(message: String) -> Error {
    fault(StoreKind::Command, StoreFault::Failed, message, None)
}
