//! What is refused, what is run, and that curl reads it as it was judged.

use std::collections::HashMap;
use std::process::Command;

use super::*;

const URL: &str = "https://api.bindeo.com/v1";

/// A user with a few files, who calls curl.
#[derive(Default)]
struct User {
    files: HashMap<&'static str, &'static str>,
    curlrc: Option<&'static str>,
    api_hosts: Option<&'static [&'static str]>,
    proxied: bool,
}

impl Files for User {
    fn read(&self, name: &[u8]) -> io::Result<Vec<u8>> {
        let name = std::str::from_utf8(name).unwrap();
        self.files
            .get(name)
            .map(|text| text.as_bytes().to_vec())
            .ok_or(io::ErrorKind::NotFound.into())
    }

    fn is_once(&self, name: &[u8]) -> bool {
        name.starts_with(b"/dev/fd/") || name == b"fifo"
    }

    fn is_closed(&self, name: &[u8]) -> bool {
        name == b"/dev/fd/9"
    }
}

impl User {
    fn with(files: &[(&'static str, &'static str)]) -> Self {
        Self { files: files.iter().copied().collect(), ..Self::default() }
    }

    fn with_curlrc(text: &'static str) -> Self {
        Self { curlrc: Some(text), ..Self::default() }
    }

    fn plan(&self, args: &[&str]) -> Result<Plan> {
        let args: Vec<_> = args.iter().map(|arg| arg.as_bytes().to_vec()).collect();
        let help = String::new;
        let around = Surroundings {
            table: Table::new(&help),
            files: self,
            hosts: &self.api_hosts.map_or(ApiHosts::default(), |h| ApiHosts::listed(h).unwrap()),
            curlrc: self.curlrc.map(|text| (PathBuf::from("/home/.curlrc"), text.into())),
            proxied: self.proxied,
        };
        judge(&args, &around)
    }

    fn requests(&self, args: &[&str]) -> Requests {
        match self.plan(args) {
            Ok(Plan::Requests(requests)) => requests,
            Ok(Plan::Bare) => panic!("{args:?}: no requests"),
            Err(error) => panic!("{args:?}: {error}"),
        }
    }

    /// What curl is told, as one line.
    fn told(&self, args: &[&str]) -> String {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut told = Vec::new();
        for word in self.requests(args).words {
            match word {
                Word::Option(item) => {
                    told.push(item.flag());
                    told.extend(item.value.as_deref().map(text));
                }
                Word::Config(lines) => {
                    let lines = text(lines.expose());
                    told.push(format!("{{{}}}", lines.trim_end().replace('\n', "; ")));
                }
                Word::Token => told.push("TOKEN".to_owned()),
            }
        }
        told.join(" ")
    }

    fn error(&self, args: &[&str]) -> String {
        self.plan(args).err().unwrap_or_else(|| panic!("{args:?} passed")).to_string()
    }

    fn repeats(&self, args: &[&str]) -> bool {
        self.requests(&[args, &[URL]].concat()).watch.is_some()
    }
}

/// Asserts that a command line, with a URL behind it, is refused with these words.
fn refused(args: &[&str], words: &str) {
    let error = User::default().error(&[args, &[URL]].concat());
    assert!(error.contains(words), "{args:?}: {error}");
}

#[test]
fn curl_is_told_everything_in_full() {
    let told = User::default().told(&["-sSLo", "f", "--globo", "-XPOST", "--", URL]);
    assert_eq!(
        told,
        "--silent --show-error --location --output f --globoff --request POST \
         --url https://api.bindeo.com/v1 --proto =https TOKEN"
    );
}

#[test]
fn each_set_of_urls_gets_the_token_at_its_end() {
    let told = User::default().told(&["https://a/", "--next", "-s", "http://localhost/"]);
    assert_eq!(
        told,
        "--url https://a/ --proto =https TOKEN --next --silent --url http://localhost/ \
         --proto =http,https --noproxy * TOKEN"
    );
}

#[test]
fn files_are_read_when_they_are_judged() {
    let user = User::with(&[
        ("conf", "# mine\n-s\nheader = \"A: \\\"b\\\"\"\nconfig = more\nmax-time 5\n"),
        ("more", "config = \"heads.conf\"\ncompressed\n"),
        ("heads.conf", "-H @heads"),
        ("heads", "X: 1\r\n\r\n# no\nY: 2"),
    ]);
    let told = user.told(&["-K", "conf", "-H", "@heads", URL]);
    assert_eq!(
        told,
        r#"{silent; header = "A: \"b\""; header = "X: 1"; header = "Y: 2"; compressed; "#
            .to_owned()
            + r#"max-time = "5"} {header = "X: 1"; header = "Y: 2"} "#
            + "--url https://api.bindeo.com/v1 --proto =https TOKEN"
    );
    let standard_input = User::with(&[("-", "url = https://a/")]);
    assert!(standard_input.told(&["-K", "-"]).starts_with("{url = \"https://a/\"} --proto"));
}

#[test]
fn the_users_curlrc_holds_unless_switched_off_first() {
    let user = User::with_curlrc("compressed\nuser-agent = \"me 1\"\n");
    assert!(user.told(&[URL]).starts_with("{compressed; user-agent = \"me 1\"} --url"));
    assert!(user.told(&["-sq", URL]).starts_with("--silent --disable --url"));
    assert!(user.told(&["--disable", URL]).starts_with("--disable --url"));
    assert!(user.told(&["-s", "-q", URL]).starts_with("{compressed"));
    assert!(user.told(&[URL, "-q"]).starts_with("{compressed"));
}

#[test]
fn a_curlrc_can_not_misuse_the_token() {
    for (text, words) in [
        ("-s\nlocation-trusted\n", "/home/.curlrc:2: --location-trusted would give the token"),
        ("--location-tr", "/home/.curlrc:1: --location-trusted"),
        ("url = https://evil.com/", "/home/.curlrc:1: a URL that nobody typed"),
        ("next", "/home/.curlrc:1: --next"),
        ("-:", "--next"),
        ("user = a:b", "--user would authorize"),
        ("-u a:b", "--user would authorize"),
        ("netrc", "--netrc would authorize"),
        ("-vn", "--netrc would authorize"),
        ("header = \"authorization: x\"", "Authorization"),
        ("-H \"Authorization;\"", "Authorization"),
        ("insecure", "--insecure would give the token to anyone"),
        ("trace = /tmp/t", "--trace would write"),
        ("libcurl /tmp/t", "--libcurl would write"),
        ("config = missing", "can't read missing"),
        ("config = /home/.curlrc", "files nest too deep"),
        ("config = other", "other:1: a URL that nobody typed"),
        ("nonsense", "/home/.curlrc:1: curl has no option --nonsense"),
    ] {
        let files =
            [("other", "url = https://evil.com"), ("/home/.curlrc", "config = /home/.curlrc")];
        let user = User { curlrc: Some(text), ..User::with(&files) };
        let error = user.error(&[URL]);
        assert!(error.contains(words), "{text}: {error}");
    }
}

#[test]
fn what_would_authorize_beside_the_token_is_refused() {
    for args in [
        &["-u", "a:b"][..],
        &["-ua:b"],
        &["-sua:b"],
        &["--user", "a:b"],
        &["--user=a:b"],
        &["--oauth2-bearer", "x"],
        &["--oauth2-b", "x"],
        &["-n"],
        &["--netrc-optional"],
        &["--netrc-file", "f"],
        &["--aws-sigv4", "aws"],
        &["--negotiate"],
        &["--anyauth"],
        &["--digest"],
    ] {
        refused(args, "would authorize beside the token");
    }
    for header in [
        "Authorization: Basic x",
        "authorization:x",
        "AUTHORIZATION:",
        "Authorization;",
        "Authorization : x",
    ] {
        refused(&["-H", header], "Authorization");
        refused(&[&format!("-H{header}")], "Authorization");
    }
    refused(&["-H", " Authorization: x"], "a blank");
    refused(&["-H", "X: y\r\nAuthorization: z"], "a line break");
    refused(&["-A", "x\nAuthorization: z"], "a line break");
    refused(&["-X", "GET / HTTP/1.1\r\nX:"], "a line break");
    for text in
        ["X: 1\nAuthorization: x", "X: 1\r\nauthorization:x\r\n", "X: 1\rAuthorization: x", "@x"]
    {
        let user = User::with(&[("h", text)]);
        let error = user.error(&["-H", "@h", URL]);
        assert!(error.starts_with("h:"), "{text}: {error}");
    }
    let harmless =
        ["-H", "X-Authorization: x", "-H", "Accept: */*", "--no-netrc", "-U", "proxy:user"];
    User::default().requests(&[&harmless[..], &[URL]].concat());
}

#[test]
fn what_would_give_the_token_away_or_write_it_down_is_refused() {
    refused(&["--location-trusted"], "any host that a redirect names");
    refused(&["--location-t"], "any host that a redirect names");
    for option in ["--trace", "--trace-ascii", "--libcurl", "--trace-config"] {
        refused(&[option, "-"], "would write the token down");
    }
    refused(&["--variable", "x=y"], "can't be judged");
    refused(&["--expand-url", "{{x}}"], "can't be judged");
    refused(&["--expand-header", "{{x}}"], "can't be judged");
    refused(&["--metalink"], "nobody named");
    refused(&["-v", "--stderr", "f"], "write the token down");
    refused(&["--stderr", "f", "-vvv"], "write the token down");
    User::default().requests(&["--no-location-trusted", "--stderr", "f", URL]);
    assert!(User::default().requests(&["-v", URL]).verbose);
    let user = User::with(&[("c", "verbose\n-vv")]);
    let told = user.told(&["-vv", "-K", "c", URL, "--next", "-v", URL]);
    assert_eq!(told.matches("verbose").count(), 1, "{told}");
}

#[test]
fn a_descriptor_that_may_come_to_hold_the_token_is_no_file() {
    for args in
        [["-d", "@/dev/fd/9"], ["-T", "/dev/fd/9"], ["-w", "@/dev/fd/9"], ["-b", "/dev/fd/9"]]
    {
        refused(&args, "/dev/fd/9 isn't open");
    }
}

#[test]
fn the_token_goes_to_the_hosts_that_may_see_it_alone() {
    let user = User { api_hosts: Some(&["api.bindeo.com"]), ..User::default() };
    user.requests(&[URL]);
    for args in [
        &["https://evil.com/"][..],
        &[URL, "https://evil.com/"],
        &[URL, "--next", "https://evil.com/"],
        &["--url", "https://evil.com/", URL],
        &["--URL", "https://evil.com/", URL],
        &["--url=https://evil.com/", URL],
        &[URL, "--", "https://evil.com/"],
        &["http://localhost/"],
    ] {
        let error = user.error(args);
        assert!(error.contains("`api_hosts` would have to list it"), "{args:?}: {error}");
    }
    assert!(user.error(&["https://evil.com/"]).contains("evil.com:443"));
    let user = User {
        api_hosts: Some(&["api.bindeo.com"]),
        ..User::with(&[("c", "url = https://evil.com/")])
    };
    assert!(user.error(&["-K", "c", URL]).contains("evil.com:443"));
}

#[test]
fn a_host_header_may_not_send_the_request_to_another() {
    refused(&["-H", "Host: evil.com"], "the header Host");
    refused(&["-H", "host:evil.com:443"], "the header Host");
    refused(&["-H", "Host: api.bindeo.com:444"], "the header Host");
    for header in ["Host: api.bindeo.com", "Host:api.bindeo.com:443", "Host:", "Host;"] {
        User::default().requests(&["-H", header, URL]);
    }
    User::default().requests(&["-H", "Host: api.local", "http://127.0.0.1:8080/"]);
}

#[test]
fn plain_http_and_unverified_https_are_for_this_machine_alone() {
    let user = User::default();
    assert!(user.error(&["http://api.bindeo.com/"]).contains("https alone"));
    assert!(user.error(&["http://localhost.evil.com/"]).contains("https alone"));
    assert!(user.error(&[URL, "http://localhost/"]).contains("--next must part"));
    assert!(user.error(&["-k", URL]).contains("--insecure"));
    assert!(user.error(&["--insec", "https://localhost/", URL]).contains("--insecure"));
    user.requests(&["-k", "--no-insecure", URL]);
    user.requests(&["-k", "https://127.0.0.1:8443/"]);
    for (option, value) in [
        ("--connect-to", "::evil.com:80"),
        ("--resolve", "localhost:80:6.6.6.6"),
        ("--unix-socket", "/tmp/s"),
        ("--abstract-unix-socket", "s"),
        ("--doh-url", "https://evil.com/"),
        ("--dns-servers", "6.6.6.6"),
        ("--alt-svc", "f"),
    ] {
        for target in [&["http://localhost/"][..], &["-k", "https://localhost/"]] {
            let error = user.error(&[target, &[option, value]].concat());
            assert!(error.contains("could lead the token elsewhere"), "{option}: {error}");
        }
        user.requests(&[option, value, URL]);
    }
    let told = user.told(&["-x", "http://proxy:3128", "http://localhost/"]);
    assert!(told.ends_with("--proto =http,https --noproxy * TOKEN"), "{told}");
    assert!(user.told(&["-k", "https://[::1]/"]).ends_with("--proto =https --noproxy * TOKEN"));
    assert!(user.told(&["-x", "http://proxy:3128", URL]).ends_with("/v1 --proto =https TOKEN"));
}

#[test]
fn a_url_in_dispute_is_refused_without_being_shown() {
    let error = User::default().error(&["https://me:hunter2@api.bindeo.com/"]);
    assert_eq!(error, "a URL holds a user name");
    for (url, why) in [
        ("file:///etc/passwd", "doesn't begin with https:// or http://"),
        ("api.bindeo.com://x", "doesn't begin with https:// or http://"),
        ("//api.bindeo.com", "has no plain host"),
        ("https:/api.bindeo.com", "has no plain host"),
        ("", "has no plain host"),
        ("@urls", "holds a user name"),
        ("me@api.bindeo.com", "holds a user name"),
    ] {
        let error = User::default().error(&[url]);
        assert!(error.starts_with(&format!("a URL {why}")), "{url}: {error}");
    }
    assert!(
        User::default().error(&["https://api.bindeo.com{/,.evil.com/}"]).contains("plain host")
    );
}

#[test]
fn a_url_without_a_scheme_is_https() {
    let user = User { api_hosts: Some(&["api.bindeo.com"]), ..User::default() };
    for args in [
        &["api.bindeo.com/v1?u=http://evil.com/"][..],
        &["--url", "api.bindeo.com/v1?u=http://evil.com/"],
    ] {
        let told = user.told(args);
        assert!(told.contains("--url https://api.bindeo.com/v1?u=http://evil.com/ "), "{told}");
    }
    // A name like this one would make curl choose another protocol.
    assert!(user.error(&["ftp.bindeo.com"]).contains("ftp.bindeo.com:443"));
}

#[test]
fn a_slip_in_usage_is_told_as_such() {
    for args in [
        &[][..],
        &["-s"],
        &[URL, "--next"],
        &["--next", URL],
        &[URL, "--nonsense"],
        &[URL, "-o"],
        &[URL, "--no-output", "x"],
        &[URL, "-"],
    ] {
        let result = User::default().plan(args);
        assert!(matches!(result, Err(Error::Usage(_))), "{args:?}");
    }
}

#[test]
fn help_and_version_need_no_token() {
    for args in
        [&["-V"][..], &["--help", "all"], &["-h"], &["-sM"], &[URL, "--version", "--nonsense"]]
    {
        assert!(matches!(User::default().plan(args), Ok(Plan::Bare)), "{args:?}");
    }
    User::default().requests(&["--no-version", URL]);
    let told = User::with_curlrc("version\nhelp\n-s").told(&[URL]);
    assert!(told.starts_with("{silent} --url"), "{told}");
}

#[test]
fn a_request_that_can_be_made_again_is_watched() {
    let user = User::default();
    for args in [
        &[][..],
        &["-d", "a=b@-"],
        &["-d", "@body.json"],
        &["-T", "file"],
        &["-F", "f=@file;type=a/b"],
        &["-o", "file"],
        &["-o", "/dev/null", "-w", "%{http_code}"],
        &["-o", "-"],
        &["-O"],
        &["-D", "heads"],
        &["-U", "name:password"],
        &["-d", "@-"],
        &["-L", "-i", "--retry", "3"],
        &["-g", "https://[::1]/"],
    ] {
        let has_url = args.last().is_some_and(|last| last.starts_with("https"));
        let args = if has_url { args.to_vec() } else { [args, &[URL]].concat() };
        assert!(user.requests(&args).watch.is_some(), "{args:?}");
    }
    assert!(user.requests(&["-g", "https://a/{b}"]).watch.is_some());
    assert!(user.requests(&["-d", "@-", URL]).stdin);
    assert!(user.requests(&["-T.", URL]).stdin);
    assert!(!user.requests(&["-o-", "-c-", URL]).stdin);
}

#[test]
fn a_request_that_can_not_be_made_again_is_not() {
    let user = User::default();
    for args in [
        &["-d", "@/dev/fd/63"][..],
        &["-T", "fifo"],
        &["-F", "a=@x,fifo"],
        &["-o", "fifo"],
        &["-D", "-"],
        &["-D", "fifo"],
        &["-C", "-"],
        &["-a"],
        &["-OJ"],
        &["-U", "name"],
        &["--no-clobber"],
        &["--skip-existing"],
        &["-Z"],
        &["https://a/"],
        &["https://a/", "--next"],
    ] {
        assert!(!user.repeats(args), "{args:?}");
    }
    for url in ["https://a/{b,c}", "https://a?[1-3]", "https://a#{b,c}", "https://[::1]/[1-3]"] {
        assert!(user.requests(&[url]).watch.is_none(), "{url}");
    }
}

#[test]
fn what_is_watched_is_told_by_its_options() {
    let watch = |args: &[&str]| User::default().requests(args).watch.unwrap();
    assert!(watch(&["-I", URL]).show && watch(&["-i", URL]).show && !watch(&[URL]).show);
    assert!(watch(&["-L", URL]).manners.follow && watch(&["--follow", URL]).manners.follow);
    assert!(watch(&["--retry", "1", URL]).manners.retry);
    assert!(watch(&[URL]).to_stdout && !watch(&["-o", "f", URL]).to_stdout);
    assert!(!watch(&["-O", URL]).to_stdout && watch(&["-o", "-", URL]).binary);
    assert_eq!(watch(&["-D", "h", URL]).dump.as_deref(), Some(&b"h"[..]));
    assert_eq!(watch(&["-D", "/dev/null", URL]).dump, None);
    let proxied = User { proxied: true, ..User::default() };
    let connects = |args: &[&str]| proxied.requests(args).watch.unwrap().manners.connect;
    assert!(connects(&["-i", URL]) && !connects(&[URL]) && !connects(&["-i", "http://localhost/"]));
}

/// What curl itself makes of a command line: the URLs, in their order. Nothing is sent.
fn curls_urls(before: &[&str], args: &[String]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new("curl")
        .args(before)
        .args(["--proto", "-all", "--write-out", "%{stderr}<<%{url}>>\n"])
        .args(args)
        .current_dir(&folder)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let urls = text.split("<<").skip(1).filter_map(|rest| rest.split_once(">>"));
    urls.map(|(url, _)| url.to_owned()).collect()
}

#[test]
fn curl_reads_the_urls_that_were_judged() {
    for line in [
        "https://a/ -s https://b/",
        "-s -o f https://a/",
        "-sSLo https://no/ https://a/",
        "-ohttps://no/ https://a/",
        "-XPOST -dhttps://no/ https://a/ -fs",
        "-d https://no/ --data-raw https://no/ https://a/",
        "--max-time 5 --url https://a/ https://b/",
        "--url https://a/ -- https://b/",
        "-H X:https://no/ https://a/ -A https://no/ -e https://no/",
        "--LOCATION --globo https://a/",
        "--no-buffer https://a/ -N https://b/",
        "--no-progress-meter --progress-bar -# https://a/",
        "-b https://no/ -c f -w x --write-out %{stderr}<<%{url}>> https://a/",
        "-x http://no/ --noproxy * https://a/",
        "-T https://no/ https://a/",
        "--cert https://no/ --key https://no/ https://a/",
        "--retry 3 --retry-delay 1 --rate 2/s https://a/",
        "-m5 -y5 -Y5 https://a/",
        "--tlsv1.2 -4 -0 https://a/",
        "--help-no https://no/",
    ] {
        let args: Vec<&str> = line.split(' ').collect();
        let Ok(Plan::Requests(requests)) = User::default().plan(&args) else {
            assert!(line.starts_with("--help-no"), "{line}");
            continue;
        };
        let given: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        let judged: Vec<String> = requests
            .words
            .iter()
            .filter_map(|word| match word {
                Word::Option(item) if item.name == "url" => item.value.clone(),
                _ => None,
            })
            .map(|url| String::from_utf8(url).unwrap())
            .collect();
        assert_eq!(curls_urls(&["-q"], &given), judged, "{line}");
        let mut told = Vec::new();
        for word in &requests.words {
            if let Word::Option(item) = word {
                told.push(item.flag());
                told.extend(item.value.iter().map(|v| String::from_utf8(v.clone()).unwrap()));
            }
        }
        // The tail would allow https again.
        told.truncate(told.iter().rposition(|word| word == "--proto").unwrap());
        assert_eq!(curls_urls(&["-q"], &told), judged, "as told: {line}");
    }
}

#[test]
fn curl_reads_a_configuration_as_it_was_judged() {
    let text = "# a\n url = https://a/\nurl:https://b/ junk\n--url https://c/\n\turl \"https://d/\\t\\\"\"\n\
                -s\r\nurl==https://e/\r\n// no\n* no\n-ohttps://no/\n-o \"f f\"\nurl = \"https://f/";
    let mut written = Vec::new();
    let help = String::new;
    for line in config::lines(text.as_bytes()) {
        let mut items = Vec::new();
        Table::new(&help).read(line.option, line.value.as_deref(), &mut items).unwrap();
        for item in &items {
            config::write(&mut written, item);
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let [theirs, ours] = [text.as_bytes(), &written].map(|text| {
        let path = folder.path().join("config");
        std::fs::write(&path, text).unwrap();
        curls_urls(&["-q"], &["-K".to_owned(), path.to_str().unwrap().to_owned()])
    });
    assert_eq!(theirs, ours);
    let urls =
        ["https://a/", "https://b/", "https://c/", "https://d/\t\"", "https://e/", "https://f/"];
    assert_eq!(ours, urls);
}

proptest::proptest! {
    #[test]
    fn no_command_line_makes_it_panic_or_lets_a_stranger_in(
        words in proptest::collection::vec(proptest::sample::select(vec![
            "-s", "-o", "-so", "-:", "--next", "--", "--url", "-K", "conf", "-H", "@heads", "-q", "-k",
            "https://api.bindeo.com/", "https://evil.com/", "https://api.bindeo.com@evil.com/",
            "http://localhost/", "-Hauthorization:x", "--location-t", "--expand-url", "-", "-u",
        ]), 0..8),
    ) {
        let files = [("conf", "url = https://api.bindeo.com/\nlocation"), ("heads", "X: y")];
        let user = User { api_hosts: Some(&["api.bindeo.com"]), ..User::with(&files) };
        if let Ok(Plan::Requests(requests)) = user.plan(&words) {
            for (at, word) in requests.words.iter().enumerate() {
                let Word::Option(item) = word else { continue };
                let url = item.name == "url" || item.name == "location-trusted";
                let value = item.value.as_deref().unwrap_or_default();
                proptest::prop_assert!(!url || value == b"https://api.bindeo.com/");
                if item.name == "next" {
                    proptest::prop_assert!(matches!(requests.words[at - 1], Word::Token));
                }
            }
            proptest::prop_assert!(matches!(requests.words.last(), Some(Word::Token)));
        }
    }
}
