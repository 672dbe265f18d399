//! What may be run: a user's arguments to curl, judged, and written anew in one spelling.
//!
//! curl gets none of the user's words as they stand. Each option is read by its grammar and handed
//! on in full (`-sSLo f` as `--silent --show-error --location --output f`), a configuration file
//! by what it held when it was judged. So curl can't read anything but what was judged here,
//! whatever its version makes of a shortened, repeated or clustered option, and however the file
//! changes meanwhile.

use std::io;
use std::path::PathBuf;

use super::config;
use super::options::{Item, Table};
use super::place::{Files, Place};
use super::segment::{Segment, Watch};
use super::targets::{self, ApiHosts};
use crate::error::{Error, Result};
use crate::secret::Secret;

/// How deep configuration files may name others; curl's own bound, since it has one.
const LEVELS: usize = 5;

/// A part of what curl is told.
pub(super) enum Word {
    /// An option that was typed, or that follows from those.
    Option(Item),
    /// Options from files, which needn't be seen by whoever lists processes.
    Config(Secret<Vec<u8>>),
    /// The token's header, at the end of the options for one set of URLs.
    Token,
}

/// What to run.
pub(super) enum Plan {
    /// Only help or the version is asked for: no token is needed.
    Bare,
    /// Requests with a token.
    Requests(Requests),
}

/// The requests to make.
pub(super) struct Requests {
    pub(super) words: Vec<Word>,
    /// Whether the token will be on standard error.
    pub(super) verbose: bool,
    /// Whether redirects are followed.
    pub(super) follow: bool,
    /// Whether standard input is read.
    pub(super) stdin: bool,
    /// What to watch, where the one request can be repeated.
    pub(super) watch: Option<Watch>,
}

/// What surrounds a command line.
pub(super) struct Surroundings<'a> {
    pub(super) table: Table<'a>,
    pub(super) files: &'a dyn Files,
    pub(super) hosts: &'a ApiHosts,
    /// The user's own `.curlrc`, where there is one.
    pub(super) curlrc: Option<(PathBuf, Vec<u8>)>,
    /// Whether the environment names a proxy for https.
    pub(super) proxied: bool,
}

/// Judges a command line.
pub(super) fn judge(args: &[Vec<u8>], around: &Surroundings) -> Result<Plan> {
    let Some(typed) = Typed::read(args, &around.table)? else { return Ok(Plan::Bare) };
    let mut judge = Judge {
        around,
        words: Vec::new(),
        segments: Vec::new(),
        segment: Segment::default(),
        verbose: false,
    };
    if let Some((file, text)) = around.curlrc.as_ref().filter(|_| !typed.disables_curlrc) {
        judge.config(text, &|line| Place::File { file: file.clone(), line, typed: false })?;
    }
    for item in typed.items {
        judge.take(&item)?;
    }
    judge.finish().map(Plan::Requests)
}

/// The options that were typed, URLs among them.
struct Typed {
    items: Vec<Item>,
    disables_curlrc: bool,
}

impl Typed {
    /// Nothing where curl would show its help or version.
    fn read(args: &[Vec<u8>], table: &Table) -> Result<Option<Self>> {
        let mut typed = Self { items: Vec::new(), disables_curlrc: false };
        let mut flags = true;
        let mut rest = args;
        while let [word, following @ ..] = rest {
            rest = following;
            if flags && word == b"--" {
                flags = false;
            } else if flags && word.starts_with(b"-") {
                let before = typed.items.len();
                let next = following.first().map(Vec::as_slice);
                let read = table.read(word, next, &mut typed.items);
                let items = &typed.items[before..];
                if items.iter().any(asks_about_curl) {
                    return Ok(None);
                }
                if read.map_err(|fault| Error::Usage(fault.to_string()))? {
                    rest = &following[1..];
                }
                // As in curl, only the first word of all can do that.
                typed.disables_curlrc |=
                    before == 0 && items.iter().any(|item| item.on && item.name == "disable");
            } else {
                typed.items.push(Item::with("url", word.clone()));
            }
        }
        Ok(Some(typed))
    }
}

fn asks_about_curl(item: &Item) -> bool {
    item.on && matches!(item.name.as_str(), "help" | "manual" | "version")
}

struct Judge<'a> {
    around: &'a Surroundings<'a>,
    words: Vec<Word>,
    /// The sets of URLs and their options, which `--next` parts.
    segments: Vec<Segment>,
    segment: Segment,
    verbose: bool,
}

impl Judge<'_> {
    /// Takes one option of the command line.
    fn take(&mut self, item: &Item) -> Result<()> {
        let place = Place::CommandLine;
        if item.name == "next" {
            self.close()?;
            self.words.push(Word::Option(item.clone()));
            return Ok(());
        }
        if names_file(item) {
            let mut text = Vec::new();
            self.inline(item, &place, LEVELS, &mut text)?;
            self.words.push(Word::Config(text.into()));
            return Ok(());
        }
        if let Some(item) = self.note(item, &place)? {
            self.words.push(Word::Option(item));
        }
        Ok(())
    }

    /// Takes note of an option, and tells what of it curl is told.
    fn note(&mut self, item: &Item, place: &Place) -> Result<Option<Item>> {
        let item = match item.value.as_deref() {
            Some(url) if item.name == "url" && !targets::has_scheme(url) => {
                // curl would guess a scheme by the host's name, and mostly plain http.
                Item::with("url", [b"https://", url].concat())
            }
            _ => item.clone(),
        };
        self.segment.note(&item, place, self.around.files)?;
        // Told several times, curl since 8.10 traces: it breaks the token, which then passes.
        let louder = item.name == "verbose" && item.on;
        let told = !(louder && self.verbose);
        self.verbose |= louder;
        Ok(told.then_some(item))
    }

    /// Takes the text of a configuration file.
    fn config(&mut self, text: &[u8], place: &dyn Fn(usize) -> Place) -> Result<()> {
        let mut written = Vec::new();
        self.lines(text, place, LEVELS, &mut written)?;
        self.words.push(Word::Config(written.into()));
        Ok(())
    }

    fn lines(
        &mut self,
        text: &[u8],
        place: &dyn Fn(usize) -> Place,
        levels: usize,
        written: &mut Vec<u8>,
    ) -> Result<()> {
        let mut items = Vec::new();
        for line in config::lines(text) {
            let place = place(line.number);
            self.around
                .table
                .read(line.option, line.value.as_deref(), &mut items)
                .map_err(|fault| place.refuse(fault.to_string()))?;
            for item in items.drain(..).filter(|item| !asks_about_curl(item)) {
                self.inline(&item, &place, levels, written)?;
            }
        }
        Ok(())
    }

    /// Takes an option and writes it as a line, or for a file what it holds.
    fn inline(
        &mut self,
        item: &Item,
        place: &Place,
        levels: usize,
        written: &mut Vec<u8>,
    ) -> Result<()> {
        if item.name == "next" {
            return Err(place.refuse("--next has to stand on the command line"));
        }
        if !names_file(item) {
            if let Some(item) = self.note(item, place)? {
                config::write(written, &item);
            }
            return Ok(());
        }
        let levels = levels.checked_sub(1).ok_or_else(|| place.refuse("files nest too deep"))?;
        let value = item.value.as_deref().unwrap_or_default();
        let name = if item.name == "header" { &value[1..] } else { value };
        let text = Secret::new(self.around.files.read(name).map_err(|e| unread(name, e))?);
        let file = PathBuf::from(String::from_utf8_lossy(name).into_owned());
        let typed = !matches!(place, Place::File { typed: false, .. });
        let place = |line| Place::File { file: file.clone(), line, typed };
        if item.name == "config" {
            return self.lines(text.expose(), &place, levels, written);
        }
        for (at, line) in text.expose().split(|&byte| byte == b'\n').enumerate() {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.starts_with(b"@") {
                return Err(place(at + 1).refuse("a header can't begin with @"));
            }
            if !line.trim_ascii().is_empty() && !line.starts_with(b"#") {
                let item = Item { value: Some(line.to_vec()), ..item.clone() };
                self.note(&item, &place(at + 1))?;
                config::write(written, &item);
            }
        }
        Ok(())
    }

    /// Ends a set of URLs.
    fn close(&mut self) -> Result<()> {
        let segment = std::mem::take(&mut self.segment);
        let (protocols, unverified) = segment.check()?;
        // Of several the last counts: curl keeps to these, even should the judgement err.
        self.words.push(Word::Option(Item::with("proto", protocols)));
        if unverified {
            self.words.push(Word::Option(Item::with("noproxy", "*")));
        }
        self.words.push(Word::Token);
        self.segments.push(segment);
        Ok(())
    }

    fn finish(mut self) -> Result<Requests> {
        self.close()?;
        let named: Vec<_> = self.segments.iter().flat_map(|s| s.targets.iter().cloned()).collect();
        for segment in &self.segments {
            segment.check_hosts(self.around.hosts, &named)?;
        }
        if self.verbose && self.segments.iter().any(|segment| segment.stderr) {
            return Err(Error::config("--verbose with --stderr would write the token down"));
        }
        let follow = self.segments.iter().any(|segment| segment.follow);
        let watch = match &*self.segments {
            [only] => only.watch(self.around.proxied),
            _ => None,
        };
        let stdin = self.segments.iter().any(|segment| segment.stdin);
        Ok(Requests { words: self.words, verbose: self.verbose, follow, stdin, watch })
    }
}

/// Whether an option stands for what a file holds.
fn names_file(item: &Item) -> bool {
    match item.name.as_str() {
        "config" => true,
        "header" => item.value.as_ref().is_some_and(|value| value.starts_with(b"@")),
        _ => false,
    }
}

fn unread(name: &[u8], source: io::Error) -> Error {
    Error::io(format!("can't read {}", name.escape_ascii()), source)
}

#[cfg(test)]
mod tests;
