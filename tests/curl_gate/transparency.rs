//! Everything else is as if curl had been run itself.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::server::{Server, reply};
use super::user::{User, behind_mark, seen};

/// So long a test waits for what must come, before it gives up.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn curls_status_is_the_status() {
    let server = Server::new(|_, stream| reply(stream, "404 Not Found", &[], b"no"));
    let mut user = User::new();
    let seen = user.runs(&["-sSf", &server.url("/")]);
    assert_eq!(seen.status.code(), Some(22));
    assert_eq!(seen.err.lines().count(), 1, "{}", seen.err);
    assert_eq!(user.runs(&["-s", "http://127.0.0.1:1/"]).status.code(), Some(7));
    assert_eq!(user.runs(&["-s"]).status.code(), Some(2));
}

#[test]
fn a_curl_that_is_missing_or_no_program_is_told_apart() {
    for args in [&["-s"][..], &["-sv"], &["-d", "@-"], &["-L"], &["--version"]] {
        let mut user = User::new();
        user.write("program", "no-such-curl");
        let args = [args, &["http://127.0.0.1:1/"]].concat();
        assert_eq!(user.runs(&args).status.code(), Some(127), "{args:?}");
        user.write("program", user.path("program").to_str().unwrap());
        assert_eq!(user.runs(&args).status.code(), Some(126), "{args:?}");
    }
}

#[test]
fn a_large_answer_passes_whole_in_little_memory() {
    let body: Arc<Vec<u8>> = Arc::new((0..16u32 << 20).flat_map(u32::to_le_bytes).collect());
    let sent = Arc::clone(&body);
    let server = Server::new(move |_, stream| reply(stream, "200 OK", &[], &sent));
    for to in ["pipe", "file", "appended"] {
        let mut user = User::new();
        user.write("out", "");
        if to != "pipe" {
            let mut file = OpenOptions::new();
            file.append(to == "appended").write(true);
            user.command.stdout(file.open(user.path("out")).unwrap());
        }
        let output = user.start(&["-s", &server.url("/")]).wait_with_output().unwrap();
        assert!(output.status.success());
        let out = if to == "pipe" { output.stdout } else { fs::read(user.path("out")).unwrap() };
        assert!(behind_mark(&out) == *body, "{to}: {} bytes", out.len());
        let status = user.read("status");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let peak: usize = peak.trim().trim_end_matches(" kB").parse().unwrap();
        assert!(peak < 24 << 10, "{to}: {peak} kB");
    }
}

#[test]
fn a_large_upload_passes_whole() {
    let body: Vec<u8> = (0..4u32 << 20).flat_map(u32::to_le_bytes).collect();
    let server = Server::friendly();
    let seen = User::new().pipes(&body, &["-s", "-T", "-", &server.url("/")]);
    assert_eq!(seen.succeeded().text(), "welcome");
    assert!(server.requests()[0].body == body);
}

#[test]
fn an_answer_passes_as_it_comes() {
    let (proceed, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let server = Server::new(move |_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\ndata: 1\n\n").unwrap();
        wait.lock().unwrap().recv_timeout(PATIENCE).expect("the first is seen");
        stream.write_all(b"data: 2\n\n").unwrap();
    });
    let mut user = User::new();
    let mut child = user.start(&["-s", &server.url("/")]);
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut lines = String::new();
    while !lines.ends_with("data: 1\n\n") {
        assert_ne!(out.read_line(&mut lines).unwrap(), 0, "{lines}");
    }
    proceed.send(()).unwrap();
    out.read_to_string(&mut lines).unwrap();
    assert!(lines.ends_with("data: 1\n\ndata: 2\n\n"), "{lines}");
    assert!(child.wait().unwrap().success());
}

fn kill(signal: Signal, child: &Child) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

#[test]
fn a_signal_ends_both() {
    for (mut user, option, signal, number) in [
        (User::new(), "-s", Signal::TERM, 15),
        (User::new(), "-s", Signal::INT, 2),
        (User::new(), "-s", Signal::HUP, 1),
        (User::new(), "-so/dev/null", Signal::QUIT, 3),
        (User::with_new_token(), "-s", Signal::TERM, 15),
        (User::with_new_token(), "-sv", Signal::TERM, 15),
    ] {
        let (here, begins) = mpsc::channel();
        let (gone, ends) = mpsc::channel();
        let server = Server::new(move |_, stream| {
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nand then").unwrap();
            here.send(()).unwrap();
            // There is an end of it, or an error, only when curl is gone.
            let _ = stream.read_to_end(&mut Vec::new());
            gone.send(()).unwrap();
        });
        let child = user.start(&[option, &server.url("/")]);
        begins.recv_timeout(PATIENCE).expect("a request");
        kill(signal, &child);
        assert_eq!(child.wait_with_output().unwrap().status.signal(), Some(number), "{option}");
        ends.recv_timeout(PATIENCE).expect("curl ends too");
    }
}

#[test]
fn a_signal_that_is_ignored_ends_neither() {
    let (proceed, wait) = mpsc::channel::<()>();
    let (here, begins) = mpsc::channel();
    let wait = Mutex::new(wait);
    let server = Server::new(move |_, stream| {
        here.send(()).unwrap();
        wait.lock().unwrap().recv_timeout(PATIENCE).expect("the signal is sent");
        reply(stream, "200 OK", &[], b"welcome");
    });
    let mut user = User::new();
    let mut nohup = Command::new("nohup");
    nohup.arg(user.command.get_program()).args(user.command.get_args()).env_clear();
    nohup.envs(user.command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    nohup.current_dir(user.folder.path()).stdin(Stdio::null());
    nohup.stdout(Stdio::piped()).stderr(Stdio::piped());
    user.command = nohup;
    let child = user.start(&["-s", &server.url("/")]);
    begins.recv_timeout(PATIENCE).expect("a request");
    kill(Signal::HUP, &child);
    proceed.send(()).unwrap();
    assert_eq!(seen(&child.wait_with_output().unwrap()).succeeded().text(), "welcome");
}

#[test]
fn a_reader_that_goes_away_ends_it() {
    let server = Server::new(|_, stream| reply(stream, "200 OK", &[], &vec![b'x'; 32 << 20]));
    let mut user = User::new();
    let mut child = user.start(&["-s", &server.url("/")]);
    let mut out = child.stdout.take().unwrap();
    out.read_exact(&mut [0; 4096]).unwrap();
    drop(out);
    assert_eq!(child.wait().unwrap().code(), Some(23));
}

#[test]
fn a_terminal_is_spared_the_meter_and_binary_output() {
    let server = Server::new(|request, stream| match &*request.line {
        "GET /text HTTP/1.1" => reply(stream, "200 OK", &[], b"welcome"),
        _ => reply(stream, "200 OK", &[], b"PNG\0\0\0"),
    });
    let mut user = User::new();
    user.write("terminal", "");
    let seen = user.runs(&[&server.url("/text")]);
    assert_eq!((&*seen.succeeded().text(), &*seen.err), ("welcome", ""));
    let seen = user.runs(&[&server.url("/image")]);
    assert_eq!((seen.status.code(), seen.out.len()), (Some(23), 0));
    assert!(seen.err.contains("--output -"), "{}", seen.err);
    assert_eq!(user.runs(&[&server.url("/image"), "-o", "-"]).succeeded().out, b"PNG\0\0\0");
    let seen = user.runs(&[&server.url("/image"), "-o", "file"]);
    assert!(seen.succeeded().err.contains("% Total"), "{}", seen.err);
}

/// Has another program stand for curl.
fn script(user: &User, text: &str) {
    user.write("curl.sh", format!("#!/bin/sh\n{text}\n"));
    let path = user.path("curl.sh");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    user.write("program", path.to_str().unwrap());
}

#[test]
fn a_newer_curl_is_asked_what_its_options_take() {
    let mut user = User::with_new_token();
    let help = "echo ' -!, --brand-new <file>  New'; echo '     --brisk  Faster'";
    script(&user, &format!(r#"[ "$*" = "-q --help all" ] && {{ {help}; exit; }}; echo "$@""#));
    let url = "http://localhost:1/";
    let seen = user.runs(&["-s!", "-k", "--brisk", url]);
    let told = format!("-q --silent --brand-new -k --brisk --url {url} --proto =http,https");
    assert!(seen.succeeded().text().starts_with(&told), "{}", seen.text());
    let seen = user.runs(&["--brash", url]);
    assert_eq!((seen.status.code(), &*seen.err), (Some(2), "error: curl has no option --brash\n"));
}

#[test]
fn an_older_curl_may_not_follow_redirects() {
    let mut user = User::new();
    script(&user, r#"[ "$*" = "-q --version" ] && echo 'curl 7.81.0 (x86_64-pc-linux-gnu)'"#);
    let seen = user.runs(&["-L", "http://localhost:1/"]);
    assert_eq!(seen.status.code(), Some(125));
    assert!(seen.err.contains("leave --location out"), "{}", seen.err);
    assert!(!user.path("fetched").exists());
}

#[test]
fn what_is_held_back_to_the_very_end_is_seen() {
    let server = Server::new(|_, stream| reply(stream, "302 Found", &["X-To: nowhere"], b"lost"));
    for (args, end) in [(&["-siL"][..], "lost"), (&["-sIL"], "nowhere"), (&["-sL"], "lost")] {
        let text = User::new().runs(&[args, &[&server.url("/")]].concat()).succeeded().text();
        assert!(text.contains(end), "{args:?}: {text}");
    }
}
