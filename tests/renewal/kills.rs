//! Renewals that are ended by a signal, at random moments of their lives and a thousand times.
//!
//! `OAUTHCTL_TEST_KILLS` is how many are killed; a seed that failed goes into `OAUTHCTL_TEST_SEED`.

use std::collections::HashMap;
use std::env;
use std::fmt;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::os::unix::fs::FileExt;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::evidence::{Evidence, Journal, Newest, Stage};
use super::evidence::{assert_sent_once, last_presented, settle};
use super::{assert_session_lives, counts, journal, logged_in};
use crate::support::Test;

/// How many processes are at work at once, each in a home of its own and with a server of its own.
const WORKERS: usize = 4;

/// Numbers that a seed determines (`SplitMix64`).
struct Random(u64);

impl Random {
    /// The numbers of one worker.
    fn of(worker: usize) -> Self {
        let seed = env::var("OAUTHCTL_TEST_SEED").ok().map(|seed| seed.parse().unwrap());
        let seed = seed.unwrap_or_else(|| RandomState::new().hash_one(worker));
        // Shown when the test fails.
        eprintln!("worker {worker}: OAUTHCTL_TEST_SEED={seed}");
        Self(seed)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

/// A moment in the life of a process, as likely as any other.
struct Moments {
    random: Random,
    /// How long a process is thought to live, in nanoseconds: it follows the load of the machine.
    life: u64,
}

impl Moments {
    fn of(worker: usize) -> Self {
        Self { random: Random::of(worker), life: 10_000_000 }
    }

    fn next(&mut self) -> Duration {
        Duration::from_nanos(self.random.below(self.life))
    }

    /// Of ten processes, about one shall have ended by itself.
    fn learn(&mut self, ended: bool) {
        self.life = if ended { self.life / 100 * 70 } else { self.life / 100 * 104 };
        self.life = self.life.clamp(1_000_000, 5_000_000_000);
    }
}

/// What came of many.
#[derive(Default)]
struct Tally {
    ended: usize,
    killed: HashMap<Stage, usize>,
    litter: usize,
}

impl Tally {
    fn at(&self, stage: Stage) -> usize {
        self.killed.get(&stage).copied().unwrap_or(0)
    }

    fn add(mut self, other: Self) -> Self {
        self.ended += other.ended;
        self.litter += other.litter;
        for (stage, times) in other.killed {
            *self.killed.entry(stage).or_default() += times;
        }
        self
    }

    /// The moments are spread over the whole life of a process.
    fn assert_spread(&self) {
        let all = self.ended + self.killed.values().sum::<usize>();
        let stages = [
            Stage::Started,
            Stage::Locked,
            Stage::Intended,
            Stage::Unanswered,
            Stage::Journaled,
            Stage::Cleaned,
        ];
        // Some stages are short: of few processes, none may be met there.
        if all >= 500 {
            assert!(stages.iter().all(|&stage| self.at(stage) > 0), "{self}");
        }
        assert!(stages.iter().all(|&stage| self.at(stage) < all * 2 / 3), "{self}");
        assert!(self.ended < all / 2, "{self}");
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (stage, what) in [
            (Stage::Started, "before the lock"),
            (Stage::Locked, "with the lock, before an intent"),
            (Stage::Intended, "with an intent, before the server was asked"),
            (Stage::Unanswered, "in the window: the session is lost"),
            (Stage::Journaled, "with the answer in the journal: recovered"),
            (Stage::Stored, "with the answer stored, before the journal was gone"),
            (Stage::Cleaned, "when all was done"),
        ] {
            writeln!(f, "{:6} {what}", self.at(stage))?;
        }
        writeln!(f, "{:6} had ended by themselves", self.ended)?;
        writeln!(f, "{:6} files are left over", self.litter)
    }
}

/// Lets workers do a number of things between them.
fn share(times: usize, work: impl Fn(usize, usize) -> Tally + Sync) -> Tally {
    thread::scope(|scope| {
        let work = &work;
        let workers: Vec<_> =
            (0..WORKERS).map(|n| scope.spawn(move || work(n, (times + n) / WORKERS))).collect();
        let tallies = workers.into_iter().map(|worker| worker.join().expect("a worker failed"));
        tallies.fold(Tally::default(), Tally::add)
    })
}

/// How many files lie about that no run will ever remove.
fn litter(test: &Test) -> usize {
    let files = fs::read_dir(test.data().join("index")).unwrap().flatten();
    files.filter(|file| file.file_name().as_encoded_bytes().ends_with(b".new")).count()
}

#[test]
fn of_a_thousand_killed_refreshes_only_those_in_the_window_lose_their_session() {
    let kills = env::var("OAUTHCTL_TEST_KILLS").map_or(1000, |kills| kills.parse().unwrap());
    let begun = Instant::now();
    let tally = share(kills, kill_refreshes);
    let took = begun.elapsed().as_secs_f32();
    eprintln!("{kills} refreshes killed in {took:.1} s:\n{tally}");
    tally.assert_spread();
}

fn kill_refreshes(worker: usize, kills: usize) -> Tally {
    let (test, mut moments, mut tally) = (logged_in(), Moments::of(worker), Tally::default());
    // What was sent when its process was killed before it could note the answer.
    let mut retried = Vec::new();
    for run in 0..kills {
        let before = counts(&test).refresh_token;
        let moment = moments.next();
        let running = test.words("refresh").start();
        thread::sleep(moment);
        running.signal(Signal::KILL);
        let pid = running.pid();
        let outcome = running.ends();
        let found = Evidence::gather(&test, pid, before);
        moments.learn(outcome.status == 0);
        assert!(found.granted <= 1, "run {run}: {found:?}");
        if outcome.status == 0 {
            assert_eq!(found.stage, Stage::Cleaned, "run {run}: {outcome:?}");
            tally.ended += 1;
        } else {
            assert_eq!(outcome.status, 137, "run {run}: {outcome:?}");
            *tally.killed.entry(found.stage).or_default() += 1;
        }
        if found.newest == Newest::Nowhere {
            // Nobody has the answer: the one loss that no client can prevent.
            assert_eq!((found.stage, found.journal), (Stage::Unanswered, Journal::Intent));
            retried.push(last_presented(&test));
            test.words("refresh").run().fails_with(4).stderr_has("invalid_grant");
            test.words("login").run().success();
        } else if moments.random.below(2) == 0 {
            // Else the next one finds what this one left, and is killed as well.
            let next = test.words("refresh").run();
            assert_eq!(next.status, 0, "run {run}, after {found:?}: {next:?}");
        }
    }
    assert_session_lives(&test);
    assert_eq!(counts(&test).reuse, retried.len() as u64);
    assert_sent_once(&test, &retried);
    tally.litter = litter(&test);
    tally
}

#[test]
fn of_hundreds_that_are_told_to_end_at_random_moments_none_loses_its_session() {
    let times = 400;
    let begun = Instant::now();
    let tally = share(times, end_renewals);
    let took = begun.elapsed().as_secs_f32();
    eprintln!("{times} renewals told to end in {took:.1} s:\n{tally}");
    assert_eq!(tally.at(Stage::Unanswered) + tally.at(Stage::Journaled), 0, "{tally}");
    for stage in [Stage::Started, Stage::Locked, Stage::Cleaned] {
        assert!(tally.at(stage) > 0, "{tally}");
    }
    assert!(tally.ended < times * 2 / 3, "{tally}");
}

fn end_renewals(worker: usize, times: usize) -> Tally {
    const SIGNALS: [Signal; 4] = [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT];
    let (test, mut moments, mut tally) = (logged_in(), Moments::of(worker), Tally::default());
    for run in 0..times {
        let before = counts(&test).refresh_token;
        let signal = SIGNALS[run % SIGNALS.len()];
        let prints_header = moments.random.below(2) == 0;
        let words = if prints_header { "header --min-ttl 2h" } else { "refresh --json" };
        let moment = moments.next();
        let running = test.words(words).prints_secrets().start();
        thread::sleep(moment);
        running.signal(signal);
        let pid = running.pid();
        let outcome = running.ends();
        let found = Evidence::gather(&test, pid, before);
        moments.learn(outcome.status == 0);
        let told = format!("worker {worker}, run {run}, {words}: {outcome:?}, {found:?}");
        assert!([0, 128 + signal.as_raw()].contains(&outcome.status), "{told}");
        assert_eq!(found.newest, Newest::Stored, "{told}");
        // Whoever has printed at all has printed the whole of it.
        let header = || format!("Authorization: Bearer {}\n", test.access_token());
        let whole = if prints_header {
            outcome.stdout == header()
        } else {
            serde_json::from_str::<serde_json::Value>(&outcome.stdout).is_ok()
        };
        assert!(whole || outcome.stdout.is_empty() && outcome.status != 0, "{told}");
        if outcome.status == 0 {
            tally.ended += 1;
        } else {
            *tally.killed.entry(found.stage).or_default() += 1;
        }
        let next = test.words("refresh").run();
        assert_eq!(next.status, 0, "{told}, then {next:?}");
    }
    assert_session_lives(&test);
    assert_eq!(counts(&test).reuse, 0);
    assert_sent_once(&test, &[]);
    tally.litter = litter(&test);
    tally
}

#[test]
fn the_window_in_which_a_kill_loses_a_session_is_a_moment() {
    let test = logged_in();
    let mut windows: Vec<_> = (0..200).filter_map(|_| window(&test)).collect();
    windows.sort_unstable();
    let at = |percent: usize| windows[(windows.len() - 1) * percent / 100].as_micros();
    eprintln!("{}: median {} µs, p95 {} µs, max {} µs", windows.len(), at(50), at(95), at(100));
    assert!(windows.len() > 100);
    // Far from any that was ever seen.
    assert!(at(50) < 1_000_000);
}

/// From the server's commit to the journal's: the length of the answer, which is written last.
///
/// `None` where the journal came and went while this process had no turn to look.
fn window(test: &Test) -> Option<Duration> {
    let path = journal(test);
    let running = test.words("refresh").start();
    let pid = running.pid();
    let file = look(pid, || fs::File::open(&path).ok());
    let written = file.and_then(|file| {
        let number = |at: u64| {
            let mut bytes = [0; 4];
            let read = file.read_exact_at(&mut bytes, at);
            read.ok().map(|()| u32::from_be_bytes(bytes)).filter(|&number| number > 0)
        };
        let length = look(pid, || number(17))?;
        look(pid, || number(21 + u64::from(length)))?;
        Some(Instant::now())
    });
    running.ends().success();
    settle(test);
    Some(written? - test.server().requests().last().expect("a request").at)
}

/// Looks as fast as it can until there is something, or the process has ended.
fn look<T>(pid: u32, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let ended = || {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        stat.contains(") Z")
    };
    loop {
        for _ in 0..1000 {
            if let Some(found) = look() {
                return Some(found);
            }
        }
        if ended() {
            return look();
        }
    }
}
