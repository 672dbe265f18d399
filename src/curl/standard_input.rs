//! Runs curl where no descriptor can be handed over: the token goes to its standard input.
//!
//! So standard input can't be the user's, and a refused token isn't renewed.

use std::io::{self, Read, Write};
use std::process::{Command, Stdio};

use super::plan::{Requests, Word};
use super::redact::Redactor;
use super::{Bearer, Call, Outcome, Tokens, command, config, header};
use crate::error::{Error, Result};
use crate::secret::Secret;

/// Runs a curl that gets no token.
pub(super) fn become_curl(mut curl: Command) -> Outcome {
    curl.status().map_or_else(Outcome::NotStarted, Outcome::from)
}

/// Runs curl with a token.
pub(super) fn run_requests(
    call: &Call,
    requests: &Requests,
    bearer: &Bearer,
    _: &dyn Tokens,
) -> Result<Outcome> {
    if requests.stdin {
        return Err(Error::config(
            "standard input carries the token on this system: give curl its data in a file",
        ));
    }
    let mut curl = command(call);
    curl.args(["-q", "--config", "-"]).stdin(Stdio::piped());
    if requests.verbose {
        curl.stderr(Stdio::piped());
    }
    let mut curl = match curl.spawn() {
        Ok(curl) => curl,
        Err(error) => return Ok(Outcome::NotStarted(error)),
    };
    if let Some(mut stdin) = curl.stdin.take() {
        let told = stdin.write_all(everything(requests, &bearer.token).expose());
        told.map_err(|error| Error::io("can't hand the token to curl", error))?;
    }
    if let Some(stderr) = curl.stderr.take() {
        show(stderr, Redactor::new(&bearer.token))
            .map_err(|error| Error::io("can't pass on curl's output", error))?;
    }
    let status = curl.wait().map_err(|error| Error::io("can't wait for curl", error))?;
    Ok(status.into())
}

/// All that curl is told, in the order in which it counts.
fn everything(requests: &Requests, token: &Secret) -> Secret<Vec<u8>> {
    let header = header(token);
    let mut text = Vec::new();
    for word in &requests.words {
        match word {
            Word::Option(item) => config::write(&mut text, item),
            Word::Config(lines) => text.extend_from_slice(lines.expose()),
            Word::Token => text.extend_from_slice(header.expose()),
        }
    }
    Secret::new(text)
}

fn show(mut stderr: impl Read, mut redactor: Redactor) -> io::Result<()> {
    let mut chunk = vec![0; 16 << 10];
    let mut clean = Vec::new();
    loop {
        let read = stderr.read(&mut chunk)?;
        redactor.push(&chunk[..read], &mut clean);
        if read == 0 {
            redactor.finish(&mut clean);
        }
        io::stderr().write_all(&clean)?;
        clean.clear();
        if read == 0 {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::io::{BufRead, BufReader};
    use std::net::TcpListener;

    use super::*;
    use crate::curl::options::Item;
    use crate::curl::{ApiHosts, Bearer};
    use crate::report::Silent;

    struct Token;

    impl Tokens for Token {
        fn current(&self) -> Result<Bearer> {
            Ok(Bearer { token: Secret::from("tok3n"), just_made: false })
        }

        fn renewed(&self, _: &Secret) -> Result<Option<Secret>> {
            Ok(None)
        }
    }

    fn run(words: Vec<Word>, stdin: bool) -> Result<Outcome> {
        let call = Call {
            program: OsStr::new("curl"),
            args: &[],
            hosts: &ApiHosts::default(),
            environment: &|_| None,
            withheld: &[],
            terminal: false,
            report: &Silent,
        };
        let requests = Requests { words, verbose: true, follow: false, stdin, watch: None };
        run_requests(&call, &requests, &Token.current()?, &Token)
    }

    #[test]
    fn curl_reads_everything_from_standard_input() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let mut stream = listener.accept().unwrap().0;
            let lines = BufReader::new(stream.try_clone().unwrap()).lines().map(io::Result::unwrap);
            let heads: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
            heads
        });
        let words = vec![
            Word::Config(b"user-agent = \"first\"\nsilent\n".to_vec().into()),
            Word::Option(Item::with("url", url)),
            Word::Option(Item::with("user-agent", "last \"one\"")),
            Word::Token,
        ];
        let outcome = run(words, false).unwrap();
        assert!(matches!(outcome, Outcome::Exited(0)), "{outcome:?}");
        let heads = server.join().unwrap();
        assert!(heads.contains(&"Authorization: Bearer tok3n".to_owned()), "{heads:?}");
        assert!(heads.contains(&"User-Agent: last \"one\"".to_owned()), "{heads:?}");
    }

    #[test]
    fn standard_input_can_not_serve_two() {
        assert!(matches!(run(Vec::new(), true), Err(Error::Config(_))));
    }

    #[test]
    fn without_a_token_curl_is_a_child() {
        assert!(matches!(become_curl(Command::new("true")), Outcome::Exited(0)));
        assert!(matches!(become_curl(Command::new("no-such-curl")), Outcome::NotStarted(_)));
    }
}
