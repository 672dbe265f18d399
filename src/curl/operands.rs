//! Which files an option's argument names, so far as reading or writing them twice may differ.

use super::options::Item;

/// The files that an option's argument names; `-` is standard input.
pub(super) fn operands(item: &Item) -> Vec<&[u8]> {
    let Some(value) = item.value.as_deref() else { return Vec::new() };
    match item.name.as_str() {
        "data" | "data-ascii" | "data-binary" | "json" | "write-out" | "proxy-header" => {
            value.strip_prefix(b"@").into_iter().collect()
        }
        "data-urlencode" | "url-query" if value.contains(&b'=') => Vec::new(),
        "data-urlencode" | "url-query" | "ech" => after(value, b'@').into_iter().collect(),
        "form" => match after(value, b'=') {
            Some([b'@' | b'<', files @ ..]) => {
                files.split(|byte| b",;".contains(byte)).map(unquoted).collect()
            }
            _ => Vec::new(),
        },
        "data-raw" | "form-string" | "header" | "url" | "request" | "user-agent" | "referer" => {
            Vec::new()
        }
        // Standard output, here.
        "output" | "cookie-jar" | "dump-header" | "stderr" if value == b"-" => Vec::new(),
        // `-T .` is standard input too, read without waiting.
        "upload-file" if value == b"." => vec![b"-"],
        "cert" | "proxy-cert" => {
            let end = value.iter().position(|&byte| byte == b':').unwrap_or(value.len());
            vec![value, &value[..end]]
        }
        _ => vec![value],
    }
}

fn after(value: &[u8], mark: u8) -> Option<&[u8]> {
    value.iter().position(|&byte| byte == mark).map(|at| &value[at + 1..])
}

fn unquoted(name: &[u8]) -> &[u8] {
    let name = name.strip_prefix(b"\"").unwrap_or(name);
    name.strip_suffix(b"\"").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, value: &str) -> Vec<String> {
        let item = Item::with(name, value);
        operands(&item).iter().map(|file| String::from_utf8_lossy(file).into_owned()).collect()
    }

    #[test]
    fn every_way_to_name_a_file_is_seen() {
        assert_eq!(of("data", "@-"), ["-"]);
        assert_eq!(of("json", "@/dev/fd/63"), ["/dev/fd/63"]);
        assert_eq!(of("data-urlencode", "name@file"), ["file"]);
        assert_eq!(of("form", "f=@a,\"b\";type=x"), ["a", "b", "type=x"]);
        assert_eq!(of("form", "f=<-"), ["-"]);
        assert_eq!(of("upload-file", "."), ["-"]);
        assert_eq!(of("upload-file", "-"), ["-"]);
        assert_eq!(of("cookie", "-"), ["-"]);
        assert_eq!(of("cert", "file:pass"), ["file:pass", "file"]);
        assert_eq!(of("unheard-of", "/dev/fd/3"), ["/dev/fd/3"]);
    }

    #[test]
    fn what_only_looks_like_a_file_is_none() {
        for (name, value) in [
            ("data", "a@-"),
            ("data-raw", "@-"),
            ("data-urlencode", "a=@-"),
            ("form", "f=a@-"),
            ("form-string", "f=@-"),
            ("output", "-"),
            ("dump-header", "-"),
        ] {
            assert!(of(name, value).is_empty(), "{name} {value}");
        }
    }
}
