//! Another program, run for what it prints, that can hold nobody up.
//!
//! It has pipes of its own in the place of our input, output and errors. So what it leaves behind when it
//! ends, such as a daemon, keeps nothing open that is ours, and nobody waits for more than the program
//! itself.

use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use zeroize::{Zeroize, Zeroizing};

use crate::env;
use crate::secret::Secret;

/// How often it is looked whether a program has ended that keeps quiet.
const TICK: Duration = Duration::from_millis(20);

/// A line that is not continued for so long is a question.
const QUESTION: Duration = Duration::from_millis(300);

/// When nothing comes for so long after a program's end, what it wrote has been read, on a busy machine
/// too: what is open still is held by another process.
const GRACE: Duration = Duration::from_secs(1);

/// After so long it doesn't matter any more what the other process says.
const END_OF_GRACE: Duration = Duration::from_secs(3);

/// The longest line that is handed on, in bytes.
const LONGEST_LINE: usize = 4 << 10;

/// The most that is handed on of what a program complains about, in bytes.
const MOST_COMPLAINTS: usize = 64 << 10;

/// Variables by which a program finds a person to ask.
const PROMPTERS: [&str; 3] = ["DISPLAY", "WAYLAND_DISPLAY", "GPG_TTY"];

/// What a program is called: the last part of its path.
pub(crate) fn name(word: &str) -> &str {
    Path::new(word).file_name().and_then(OsStr::to_str).unwrap_or(word)
}

/// A program to be run, and its bounds.
#[derive(Debug)]
pub(crate) struct Program<'a> {
    /// The program and its arguments: nothing secret.
    pub words: &'a [String],
    /// What it reads; nothing where there is none.
    pub input: Option<&'a Secret<Vec<u8>>>,
    /// The most that it may print, in bytes.
    pub limit: usize,
    /// The longest that it may take.
    pub timeout: Duration,
    /// Whether it may ask a person, on the terminal or elsewhere.
    pub may_prompt: bool,
}

/// What came of a program that ran to its end.
#[derive(Debug)]
pub(crate) struct Ended {
    /// How it ended.
    pub status: ExitStatus,
    /// What it printed.
    pub printed: Secret<Vec<u8>>,
}

/// Why a program did not run to its end.
#[derive(Debug)]
pub(crate) enum Fault {
    /// It could not be started.
    NotStarted(io::Error),
    /// It took too long, and was ended.
    TimedOut,
    /// It printed more than it may, and was ended.
    Flooded,
    /// The system would not let us attend to it.
    Broken(io::Error),
}

impl Program<'_> {
    /// Runs it to its end; `hear` is told each line that it complains with, as it comes.
    pub(crate) fn run(&self, hear: &mut dyn FnMut(&str)) -> Result<Ended, Fault> {
        let begun = Instant::now();
        let mut child = self.command().spawn().map_err(Fault::NotStarted)?;
        let ended = self.attend(&mut child, begun, hear);
        if ended.is_err() {
            self.end(child);
        }
        ended
    }

    fn command(&self) -> Command {
        let mut command = Command::new(self.words.first().map_or("", String::as_str));
        command.args(self.words.iter().skip(1)).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.stdin(if self.input.is_some() { Stdio::piped() } else { Stdio::null() });
        for name in env::SECRETS {
            command.env_remove(name);
        }
        if !self.may_prompt {
            for name in PROMPTERS {
                command.env_remove(name);
            }
            // Out of the foreground it can't read the terminal; and all its children can be ended.
            #[cfg(unix)]
            std::os::unix::process::CommandExt::process_group(&mut command, 0);
        }
        command
    }

    fn attend(
        &self,
        child: &mut Child,
        begun: Instant,
        hear: &mut dyn FnMut(&str),
    ) -> Result<Ended, Fault> {
        let told = self.talk(child).map_err(Fault::Broken)?;
        let mut printed = Zeroizing::new(Vec::with_capacity(8 << 10));
        let mut lines = Lines::default();
        let mut last = Instant::now();
        let mut ended = None;
        loop {
            let news = told.recv_timeout(TICK);
            let all_is_told = matches!(news, Err(RecvTimeoutError::Disconnected));
            if let Ok(news) = news {
                last = Instant::now();
                match news {
                    News::Printed(piece) if printed.len() + piece.len() > self.limit => {
                        return Err(Fault::Flooded);
                    }
                    News::Printed(piece) => printed.extend_from_slice(&piece),
                    News::Complained(piece) => lines.add(&piece, hear),
                }
            }
            if last.elapsed() >= QUESTION {
                lines.finish(hear);
            }
            if ended.is_none() {
                let status = child.try_wait().map_err(Fault::Broken)?;
                ended = status.map(|status| (status, Instant::now()));
            }
            match ended {
                Some((status, at))
                    if all_is_told
                        || at.max(last).elapsed() >= GRACE
                        || at.elapsed() >= END_OF_GRACE =>
                {
                    lines.finish(hear);
                    return Ok(Ended {
                        status,
                        printed: Secret::new(std::mem::take(&mut printed)),
                    });
                }
                None if begun.elapsed() >= self.timeout => return Err(Fault::TimedOut),
                None if all_is_told => thread::sleep(Duration::from_millis(1)),
                _ => {}
            }
        }
    }

    /// Gives the program its input, and takes what it says, each in a thread that may be left behind.
    fn talk(&self, child: &mut Child) -> io::Result<mpsc::Receiver<News>> {
        if let (Some(mut stdin), Some(input)) = (child.stdin.take(), self.input.cloned()) {
            // Who doesn't read its input need not.
            background(move || drop(stdin.write_all(input.expose())))?;
        }
        let (tell, told) = mpsc::sync_channel(16);
        if let Some(stdout) = child.stdout.take() {
            let tell = tell.clone();
            background(move || listen(stdout, News::Printed, &tell))?;
        }
        if let Some(stderr) = child.stderr.take() {
            background(move || listen(stderr, News::Complained, &tell))?;
        }
        Ok(told)
    }

    /// Ends a program that is given up on, and does not wait for it.
    fn end(&self, mut child: Child) {
        #[cfg(unix)]
        if !self.may_prompt {
            use rustix::process::{Pid, Signal, kill_process_group};
            let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
        }
        let _ = child.kill();
        let _ = background(move || drop(child.wait()));
    }
}

/// A piece of what a program says.
enum News {
    Printed(Zeroizing<Vec<u8>>),
    Complained(Zeroizing<Vec<u8>>),
}

fn background(work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name("program".to_owned()).spawn(work).map(drop)
}

/// Tells all that comes from a stream, until it ends or nobody listens any more.
fn listen(mut from: impl Read, news: fn(Zeroizing<Vec<u8>>) -> News, tell: &SyncSender<News>) {
    let mut piece = [0; 8 << 10];
    loop {
        match from.read(&mut piece) {
            Ok(0) => break,
            Ok(length) => {
                if tell.send(news(piece[..length].to_vec().into())).is_err() {
                    break;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    piece.zeroize();
}

/// Makes lines of the pieces of a stream.
#[derive(Default)]
struct Lines {
    begun: Zeroizing<Vec<u8>>,
    handed_on: usize,
}

impl Lines {
    fn add(&mut self, piece: &[u8], hear: &mut dyn FnMut(&str)) {
        for &byte in piece {
            if matches!(byte, b'\n' | b'\r') {
                self.finish(hear);
            } else if self.begun.len() < LONGEST_LINE {
                self.begun.push(byte);
            }
        }
    }

    /// Hands on what there is of a line: its end, or a question that waits for an answer.
    fn finish(&mut self, hear: &mut dyn FnMut(&str)) {
        if !self.begun.is_empty() && self.handed_on < MOST_COMPLAINTS {
            self.handed_on += self.begun.len();
            hear(&String::from_utf8_lossy(&self.begun));
        }
        self.begun.zeroize();
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;

    fn run(script: &str, timeout: u64, may_prompt: bool) -> (Result<Ended, Fault>, Vec<String>) {
        let words = ["sh", "-c", script].map(str::to_owned);
        let program = Program {
            words: &words,
            input: Some(&Secret::new(b"input".to_vec())),
            limit: 100_000,
            timeout: Duration::from_secs(timeout),
            may_prompt,
        };
        let mut heard = Vec::new();
        let ended = program.run(&mut |line| heard.push(line.to_owned()));
        (ended, heard)
    }

    fn printed(ended: Result<Ended, Fault>) -> String {
        String::from_utf8(ended.unwrap().printed.expose().clone()).unwrap()
    }

    #[test]
    fn what_it_prints_and_how_it_ends_is_told_and_its_complaints_are_heard() {
        let (ended, heard) = run("cat; echo one >&2; printf 'two: ' >&2; exit 3", 60, false);
        assert_eq!(ended.as_ref().unwrap().status.code(), Some(3));
        assert_eq!(printed(ended), "input");
        assert_eq!(heard, ["one", "two: "]);
    }

    #[test]
    fn a_question_is_heard_before_it_is_answered() {
        let home = tempfile::tempdir().unwrap();
        let answer = home.path().join("answer");
        let script = format!(
            "printf 'PIN: ' >&2; until [ -e {0} ]; do sleep 0.01; done; echo ok",
            answer.display()
        );
        let words = ["sh", "-c", &script].map(str::to_owned);
        let timeout = Duration::from_secs(60);
        let program = Program { words: &words, input: None, limit: 100, timeout, may_prompt: true };
        let ended = program.run(&mut |line| {
            assert_eq!(line, "PIN: ");
            std::fs::write(&answer, "").unwrap();
        });
        assert_eq!(printed(ended), "ok\n");
    }

    #[test]
    fn what_it_leaves_behind_holds_nobody_up() {
        let begun = Instant::now();
        for may_prompt in [false, true] {
            let (ended, _) = run("sleep 1000 & echo $!", 1000, may_prompt);
            end_process(&printed(ended));
        }
        let (ended, _) = run("(while :; do echo x >&2; sleep 0.01; done) & echo $!", 1000, false);
        end_process(&printed(ended));
        assert!(begun.elapsed() < Duration::from_secs(600));
    }

    /// Ends what a script left behind, by the number that it printed.
    fn end_process(number: &str) {
        use rustix::process::{Pid, Signal, kill_process};
        let pid = Pid::from_raw(number.trim().parse().unwrap()).unwrap();
        kill_process(pid, Signal::KILL).unwrap();
    }

    #[test]
    fn what_takes_too_long_is_ended_with_all_its_children() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("pids");
        let script = format!("sleep 1000 & echo $$ $! >{0}; wait", file.display());
        let (ended, _) = run(&script, 5, false);
        assert!(matches!(ended, Err(Fault::TimedOut)));
        for pid in std::fs::read_to_string(file).unwrap().split_whitespace() {
            let state = || std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let begun = Instant::now();
            // Nobody may be there to take leave of a process that has no parent any more.
            while !matches!(state().rsplit(") ").next(), Some(state) if state.is_empty() || state.starts_with('Z'))
            {
                assert!(begun.elapsed() < Duration::from_secs(60), "{pid} lives");
                thread::sleep(Duration::from_millis(5));
            }
        }
    }

    #[test]
    fn what_prints_without_end_is_ended() {
        assert!(matches!(run("yes", 60, false).0, Err(Fault::Flooded)));
        let (ended, heard) = run("yes >&2", 1, false);
        assert!(matches!(ended, Err(Fault::TimedOut)));
        let heard: usize = heard.iter().map(String::len).sum();
        assert!((1..=MOST_COMPLAINTS + LONGEST_LINE).contains(&heard), "{heard}");
    }

    #[test]
    fn what_can_not_be_started_is_told() {
        let words = ["/no/such/program".to_owned()];
        let timeout = Duration::MAX;
        let program = Program { words: &words, input: None, limit: 1, timeout, may_prompt: false };
        assert!(matches!(program.run(&mut |_| ()), Err(Fault::NotStarted(_))));
    }

    #[test]
    fn a_person_is_found_only_by_who_may_ask() {
        child_env(false, "");
        child_env(true, ":7");
    }

    fn child_env(may_prompt: bool, display: &str) {
        // The environment of this process is everybody's: a program in between sets one.
        let program = Program {
            words: &["sh", "-c", "echo $DISPLAY"].map(str::to_owned),
            input: None,
            limit: 100,
            timeout: Duration::from_secs(60),
            may_prompt,
        };
        let mut command = program.command();
        if command.get_envs().all(|(name, _)| name != "DISPLAY") {
            command.env("DISPLAY", ":7");
        }
        let output = command.output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), display);
    }
}
