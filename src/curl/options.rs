//! curl's grammar of options: which there are, and which take an argument.

use std::cell::OnceCell;

/// The options known here, in the shape in which `curl --help all` prints them.
const KNOWN: &str = include_str!("options.txt");

/// The options there are: the known ones, and for any other the installed curl is asked once.
pub(super) struct Table<'a> {
    known: Vec<Entry<'static>>,
    learned: OnceCell<String>,
    /// What the installed curl prints for `--help all`.
    ask: &'a dyn Fn() -> String,
}

/// One option, as read from a command line or a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    /// Its long name in full, without dashes and without `no-`.
    pub(super) name: String,
    /// Whether it switches on; `--no-NAME` switches off.
    pub(super) on: bool,
    /// Its argument, where it takes one.
    pub(super) value: Option<Vec<u8>>,
}

impl Item {
    /// An option with its argument.
    pub(super) fn with(name: &str, value: impl Into<Vec<u8>>) -> Self {
        Self { name: name.to_owned(), on: true, value: Some(value.into()) }
    }

    /// The one spelling that every curl reads alike.
    pub(super) fn flag(&self) -> String {
        format!("--{}{}", if self.on { "" } else { "no-" }, self.name)
    }
}

/// Why a word is no option.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("curl has no option {0}")]
    Unknown(String),
    #[error("{0} may mean several of curl's options: write it in full")]
    Ambiguous(String),
    #[error("curl's option {0} needs an argument")]
    Bare(String),
    #[error("curl's option {0} can't be negated")]
    Negated(String),
}

#[derive(Clone, Copy)]
struct Entry<'a> {
    letter: Option<u8>,
    /// As listed: with `no-` where that is the form worth listing.
    name: &'a str,
    argument: bool,
}

impl<'a> Entry<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (short, long) = line.split_once("--")?;
        let letter = match short.trim().as_bytes() {
            [] => None,
            [b'-', letter, b','] => Some(*letter),
            _ => return None,
        };
        let name = long.split_ascii_whitespace().next()?;
        let argument = long[name.len()..].trim_start().starts_with(['<', '[']);
        Some(Self { letter, name, argument })
    }

    fn stem(&self) -> &'a str {
        self.name.strip_prefix("no-").unwrap_or(self.name)
    }
}

impl<'a> Table<'a> {
    /// `ask` has the installed curl print its `--help all`.
    pub(super) fn new(ask: &'a dyn Fn() -> String) -> Self {
        let known = KNOWN.lines().filter_map(Entry::parse).collect();
        Self { known, learned: OnceCell::new(), ask }
    }

    fn learned(&self) -> impl Iterator<Item = Entry<'_>> {
        self.learned.get_or_init(self.ask).lines().filter_map(Entry::parse)
    }

    /// Reads one word: `-x…`, `--name`, or a bare `name` of a configuration file.
    ///
    /// A cluster of letters makes several items. The answer is whether `next` was taken as an
    /// argument.
    pub(super) fn read(
        &self,
        word: &[u8],
        next: Option<&[u8]>,
        items: &mut Vec<Item>,
    ) -> Result<bool, Fault> {
        match word {
            [b'-', b'-', name @ ..] => self.long(name, next, items),
            [b'-', letters @ ..] => self.cluster(letters, next, items),
            name => self.long(name, next, items),
        }
    }

    fn cluster(
        &self,
        letters: &[u8],
        next: Option<&[u8]>,
        items: &mut Vec<Item>,
    ) -> Result<bool, Fault> {
        if letters.is_empty() {
            return Err(Fault::Unknown("-".to_owned()));
        }
        for (at, &letter) in letters.iter().enumerate() {
            let shown = || format!("-{}", letter.escape_ascii());
            let lettered = |entry: &Entry| entry.letter == Some(letter);
            let entry = self.known.iter().copied().find(lettered);
            let entry = entry
                .or_else(|| self.learned().find(lettered))
                .ok_or_else(|| Fault::Unknown(shown()))?;
            let name = entry.stem().to_owned();
            if !entry.argument {
                items.push(Item { on: entry.name == name, name, value: None });
                continue;
            }
            let rest = &letters[at + 1..];
            let value = if rest.is_empty() { next } else { Some(rest) };
            let value = Some(value.ok_or_else(|| Fault::Bare(shown()))?.to_vec());
            items.push(Item { name, on: true, value });
            return Ok(rest.is_empty());
        }
        Ok(false)
    }

    /// Reads a long option: in any case and shortened, as curl before 8 allows, or with its
    /// argument behind `=`, as curl since 8.16 does.
    fn long(&self, word: &[u8], next: Option<&[u8]>, items: &mut Vec<Item>) -> Result<bool, Fault> {
        let mut parts = word.splitn(2, |&byte| byte == b'=');
        let name = String::from_utf8_lossy(parts.next().unwrap_or_default()).to_ascii_lowercase();
        let inline = parts.next();
        let shown = || format!("--{}", name.chars().take(40).collect::<String>().escape_debug());
        let (on, stem) = match name.strip_prefix("no-") {
            Some(stem) => (false, stem),
            None => (true, name.as_str()),
        };
        let (name, argument) = match self.find(stem) {
            _ if stem.starts_with("expand-") => (stem, true),
            Found::One(name, argument) => (name, argument),
            Found::Several => return Err(Fault::Ambiguous(shown())),
            Found::None => return Err(Fault::Unknown(shown())),
        };
        let name = name.to_owned();
        if !argument {
            if inline.is_some() {
                return Err(Fault::Unknown(shown() + "="));
            }
            items.push(Item { name, on, value: None });
            return Ok(false);
        }
        if !on {
            return Err(Fault::Negated(shown()));
        }
        let value = Some(inline.or(next).ok_or_else(|| Fault::Bare(shown()))?.to_vec());
        items.push(Item { name, on, value });
        Ok(inline.is_none())
    }

    fn find(&self, stem: &str) -> Found<'_> {
        match named(self.known.iter().copied(), stem) {
            Found::None => named(self.learned(), stem),
            found => found,
        }
    }
}

enum Found<'a> {
    None,
    One(&'a str, bool),
    Several,
}

/// The option of that name, else the only one that begins so.
fn named<'a>(entries: impl Iterator<Item = Entry<'a>>, stem: &str) -> Found<'a> {
    let mut found = Found::None;
    for entry in entries.filter(|entry| entry.stem().starts_with(stem)) {
        let here = entry.stem();
        if here == stem {
            return Found::One(here, entry.argument);
        }
        found = match found {
            Found::None => Found::One(here, entry.argument),
            Found::One(name, _) if name == here => found,
            _ => Found::Several,
        };
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(word: &str, next: Option<&str>) -> Result<(String, bool), Fault> {
        let mut items = Vec::new();
        let taken =
            Table::new(&String::new).read(word.as_bytes(), next.map(str::as_bytes), &mut items)?;
        let shown = items.iter().map(|item| match &item.value {
            Some(value) => format!("{} {}", item.flag(), String::from_utf8_lossy(value)),
            None => item.flag(),
        });
        Ok((shown.collect::<Vec<_>>().join(" "), taken))
    }

    fn reads(word: &str, next: Option<&str>, items: &str, taken: bool) {
        assert_eq!(read(word, next), Ok((items.to_owned(), taken)), "{word}");
    }

    #[test]
    fn the_list_of_options_is_read_whole() {
        assert_eq!(Table::new(&String::new).known.len(), KNOWN.lines().count());
        let table = Table::new(&String::new);
        let argument = |name: &str| matches!(table.find(name), Found::One(_, true));
        assert!(argument("proxy") && argument("cert") && argument("variable"));
        assert!(!argument("silent") && !argument("follow"));
    }

    #[test]
    fn letters_may_be_clustered_and_carry_an_argument() {
        reads("-s", Some("x"), "--silent", false);
        reads("-sSLo", Some("file"), "--silent --show-error --location --output file", true);
        reads("-ofile", Some("x"), "--output file", false);
        reads("-sXPOST", None, "--silent --request POST", false);
        reads("-o-", None, "--output -", false);
        reads("-N", None, "--no-buffer", false);
        reads("-:", None, "--next", false);
        reads("-#", None, "--progress-bar", false);
    }

    #[test]
    fn long_options_may_be_negated_shortened_and_in_any_case() {
        reads("--silent", None, "--silent", false);
        reads("--no-silent", None, "--no-silent", false);
        reads("--no-buffer", None, "--no-buffer", false);
        reads("--buffer", None, "--buffer", false);
        reads("--LOCATION", None, "--location", false);
        reads("--location-t", None, "--location-trusted", false);
        reads("--head", None, "--head", false);
        reads("--noproxy", Some("*"), "--noproxy *", true);
        reads("--max-time", Some("-5"), "--max-time -5", true);
        reads("--max-time=5", Some("x"), "--max-time 5", false);
        reads("header", Some("A: b=c"), "--header A: b=c", true);
    }

    #[test]
    fn what_is_no_option_is_a_fault() {
        for word in
            ["-", "-$", "-*", "-s~", "--nonsense", "--silent=1", "---silent", "--\u{7}\u{e9}"]
        {
            assert!(matches!(read(word, Some("x")), Err(Fault::Unknown(_))), "{word}");
        }
        for word in ["--s", "--locat", "--", "--no-"] {
            assert!(matches!(read(word, None), Err(Fault::Ambiguous(_))), "{word}");
        }
        for word in ["-o", "-sd", "--data"] {
            assert!(matches!(read(word, None), Err(Fault::Bare(_))), "{word}");
        }
        assert!(matches!(read("--no-data", Some("x")), Err(Fault::Negated(_))));
    }

    #[test]
    fn a_fault_does_not_repeat_what_may_be_a_secret() {
        let fault = read("--hedaer=Authorization: hunter2", None).unwrap_err();
        assert_eq!(fault.to_string(), "curl has no option --hedaer");
        assert_eq!(
            read("-\u{1b}hunter2", None).unwrap_err().to_string(),
            r"curl has no option -\x1b"
        );
    }

    #[test]
    fn a_curl_that_is_newer_is_asked_what_it_knows() {
        let help = "Usage: curl [options...] <url>\n\
                    \x20    --new-flag             Does it, with --new-file\n\
                    \x20-?, --new-file <file>      Reads it\n\
                    \x20    --new-proxy [protocol://]host[:port] Use it\n";
        let ask = || help.to_owned();
        let table = Table::new(&ask);
        let mut items = Vec::new();
        assert_eq!(table.read(b"--new-flag", Some(b"x"), &mut items), Ok(false));
        assert_eq!(table.read(b"-?", Some(b"x"), &mut items), Ok(true));
        assert_eq!(table.read(b"--new-proxy", Some(b"x"), &mut items), Ok(true));
        assert_eq!(items[1].name, "new-file");
    }

    proptest::proptest! {
        #[test]
        fn no_word_makes_it_panic(word in proptest::collection::vec(proptest::num::u8::ANY, 0..20)) {
            for dashes in ["", "-", "--", "--no-", "--expand-"] {
                let word = [dashes.as_bytes(), &word[..]].concat();
                let _ = Table::new(&String::new).read(&word, Some(b"x"), &mut Vec::new());
            }
        }
    }
}
