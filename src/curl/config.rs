//! The grammar of curl's configuration files (`-K FILE`, `~/.curlrc`).

use super::options::Item;

/// One line that holds an option.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// Its number, from 1.
    pub(super) number: usize,
    /// The option, with dashes or without.
    pub(super) option: &'a [u8],
    /// What follows it; unlike on a command line, nothing may follow a flag.
    pub(super) value: Option<Vec<u8>>,
}

/// Reads a configuration file line by line.
pub(super) fn lines(text: &[u8]) -> impl Iterator<Item = Line<'_>> {
    let lines = text.split(|&byte| byte == b'\n').enumerate();
    lines.filter_map(|(at, line)| {
        let line = trim_start(line);
        if matches!(line.first(), None | Some(b'#' | b'/' | b'*')) {
            return None;
        }
        let dashed = line[0] == b'-';
        let separates = |byte: u8| is_space(byte) || (!dashed && (byte == b'=' || byte == b':'));
        let end = line.iter().position(|&b| separates(b)).unwrap_or(line.len());
        let (option, rest) = line.split_at(end);
        let start = rest.iter().position(|&b| !separates(b)).unwrap_or(rest.len());
        Some(Line { number: at + 1, option, value: value(&rest[start..]) })
    })
}

/// Writes one option so that it is read back as it was meant.
pub(super) fn write(text: &mut Vec<u8>, item: &Item) {
    let flag = item.flag();
    text.extend_from_slice(&flag.as_bytes()[2..]);
    if let Some(value) = &item.value {
        text.extend_from_slice(b" = \"");
        for &byte in value {
            match byte {
                b'\n' => text.extend_from_slice(b"\\n"),
                b'\r' => text.extend_from_slice(b"\\r"),
                b'"' | b'\\' => text.extend_from_slice(&[b'\\', byte]),
                _ => text.push(byte),
            }
        }
        text.push(b'"');
    }
    text.push(b'\n');
}

/// A value in quotes, with escapes, or one word.
fn value(text: &[u8]) -> Option<Vec<u8>> {
    let Some(quoted) = text.strip_prefix(b"\"") else {
        let end = text.iter().position(|&b| is_space(b)).unwrap_or(text.len());
        return (end > 0).then(|| text[..end].to_vec());
    };
    let mut value = Vec::new();
    let mut bytes = quoted.iter();
    while let Some(&byte) = bytes.next() {
        match byte {
            b'"' => break,
            b'\\' => match bytes.next() {
                Some(b't') => value.push(b'\t'),
                Some(b'n') => value.push(b'\n'),
                Some(b'r') => value.push(b'\r'),
                Some(b'v') => value.push(0x0b),
                Some(&other) => value.push(other),
                None => break,
            },
            _ => value.push(byte),
        }
    }
    Some(value)
}

fn trim_start(line: &[u8]) -> &[u8] {
    let start = line.iter().position(|&b| !is_space(b)).unwrap_or(line.len());
    &line[start..]
}

fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(usize, String, Option<String>)> {
        let text_of = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        lines(text.as_bytes())
            .map(|line| (line.number, text_of(line.option), line.value.as_deref().map(text_of)))
            .collect()
    }

    #[test]
    fn an_option_and_its_value_are_told_apart_as_curl_does() {
        for (line, option, value) in [
            ("silent", "silent", None),
            ("  -s  ", "-s", None),
            ("--max-time 5", "--max-time", Some("5")),
            ("max-time = 5", "max-time", Some("5")),
            ("max-time:5", "max-time", Some("5")),
            ("max-time==:= 5 6", "max-time", Some("5")),
            ("--header=x", "--header=x", None),
            ("-H \"A: b\" # c", "-H", Some("A: b")),
            (r#"header = "a\"b\\c\td\qe"#, "header", Some("a\"b\\c\tdqe")),
            ("header = \"\"", "header", Some("")),
            ("url=https://a/\r", "url", Some("https://a/")),
            ("url = \"https://a", "url", Some("https://a")),
            ("url = \"https://a\\", "url", Some("https://a")),
        ] {
            let (option, value) = (option.to_owned(), value.map(str::to_owned));
            assert_eq!(read(line), [(1, option, value)], "{line}");
        }
    }

    #[test]
    fn comments_and_empty_lines_count_as_lines_only() {
        let found = read("# a\n\n  // b\n* c\n \r\nsilent\n");
        assert_eq!(found, [(6, "silent".to_owned(), None)]);
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_is_read_back(value in proptest::collection::vec(1..=255u8, 0..40)) {
            let item = Item::with("header", value);
            let mut text = Vec::new();
            write(&mut text, &item);
            let lines: Vec<_> = lines(&text).collect();
            proptest::prop_assert_eq!(lines.len(), 1);
            proptest::prop_assert_eq!(lines[0].option, b"header");
            proptest::prop_assert_eq!(&lines[0].value, &item.value);
        }

        #[test]
        fn no_file_makes_it_panic(text in proptest::collection::vec(proptest::num::u8::ANY, 0..80)) {
            lines(&text).for_each(drop);
        }
    }
}
