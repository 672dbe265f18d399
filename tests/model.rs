//! The protocol of renewal, checked as a model: every order of the steps of up to three processes, with
//! kills, failing disks and lost answers in between. What is decided at a step is decided by the very
//! functions of `oauthctl::session::protocol` that the program calls; the order of the steps is its own.
//!
//! Each step is atomic; what a file system reorders is not modelled. A variant of the protocol that
//! lacks one of its parts must be found out: else the model would prove nothing.

use std::collections::HashSet;

use oauthctl::session::protocol::{self, Generations, Removal};

use Kind::{Login, Logout, Renew};

/// The parts of the protocol, any of which can be left out.
#[derive(Clone, Copy)]
struct Protocol {
    journal: bool,
    lock: bool,
    /// Whether what is newer can be told.
    generations: bool,
    /// Whether a logout begins with its tombstone, and ends with the record.
    tombstone_first: bool,
    /// Whether a refresh token that may be spent waits until there is nothing left to lose.
    patience: bool,
}

const WHOLE: Protocol = Protocol {
    journal: true,
    lock: true,
    generations: true,
    tombstone_first: true,
    patience: true,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    /// A renewal that nothing but a newer generation makes needless.
    Renew,
    Login,
    Logout,
}

/// A refresh token: the log-in that it comes from, and how often that was renewed.
type RefreshToken = (u8, u8);

/// What a store keeps: a generation, and its refresh token.
type Record = (u64, RefreshToken);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Journal {
    Nothing,
    /// An intent, or a journal that was torn.
    Unanswered,
    Answer(Record),
}

/// The step that a process is about to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Step {
    Read,
    Lock,
    Recover,
    Replay(Record),
    ClearReplayed,
    Reread,
    Intent(u64),
    Send(u64),
    Got(Record),
    Store {
        record: Record,
        journaled: bool,
    },
    Clean,
    /// The first, second or third removal of a logout, up to this generation.
    Remove(usize, u64),
    Unlock,
    Ended,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Process {
    kind: Kind,
    step: Step,
    seen: u64,
    /// What it had seen when the server granted it a renewal.
    asked_after: Option<u64>,
}

/// Faults that can still happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Faults {
    kills: u8,
    journal: u8,
    store: u8,
    /// A store that fails, but has done what it was told.
    echo: u8,
    answer: u8,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct World {
    /// The one refresh token that the server takes; none once one was used twice.
    server: Option<RefreshToken>,
    log_ins: u8,
    store: Option<Record>,
    journal: Journal,
    tombstone: u64,
    lock: Option<usize>,
    processes: Vec<Process>,
    faults: Faults,
    /// The log-in that the user should have.
    session: Option<u8>,
    /// Whether the stored access token still lives.
    lives: bool,
    /// The server has ended an access token that lived, since it saw a refresh token twice.
    burned: bool,
    /// A loss has happened that no client can prevent.
    excused: bool,
}

impl World {
    /// A store takes a record, whose access token is a new one.
    fn keep(&mut self, record: Record) {
        self.store = Some(record);
        self.lives = true;
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Violation {
    Lost,
    Resurrected,
    AskedTwice,
    Burned,
}

impl Protocol {
    /// Every world that the step of one process can lead to.
    fn follow(self, world: &World) -> Vec<World> {
        let running = |i: &usize| world.processes[*i].step != Step::Ended;
        (0..world.processes.len()).filter(running).flat_map(|i| self.steps(world, i)).collect()
    }

    fn steps(self, world: &World, i: usize) -> Vec<World> {
        let mut next = Next { world, i, worlds: Vec::new() };
        next.kill();
        let process = &world.processes[i];
        match process.step {
            Step::Read => {
                next.go(Step::Lock, |w| w.processes[i].seen = w.store.map_or(0, |record| record.0));
            }
            Step::Lock if !self.lock => next.go(Step::Recover, |_| ()),
            Step::Lock if world.lock.is_none() => next.go(Step::Recover, |w| w.lock = Some(i)),
            Step::Recover => next.go(self.recover(world), |_| ()),
            Step::Replay(record) => {
                next.go(Step::ClearReplayed, |w| {
                    w.keep(record);
                    // It is no newer than what this process could have read.
                    w.processes[i].seen = record.0;
                });
                // The journal has the only copy: whoever logs out drops it, all others leave it.
                let step = if process.kind == Logout { Step::Reread } else { Step::Unlock };
                next.fail_to_store(step, record, false);
            }
            Step::ClearReplayed => next.go(Step::Reread, |w| w.journal = Journal::Nothing),
            Step::Reread => self.reread(&mut next),
            Step::Intent(generation) => {
                next.go(Step::Send(generation), |w| {
                    if self.journal {
                        w.journal = Journal::Unanswered;
                    }
                });
                next.fail(|f| &mut f.journal, Step::Unlock, |_| ());
            }
            Step::Send(generation) => Self::send(&mut next, generation),
            Step::Got(record) => {
                let journaled = self.journal;
                next.go(Step::Store { record, journaled }, |w| {
                    if journaled {
                        w.journal = Journal::Answer(record);
                    }
                });
                next.fail(|f| &mut f.journal, Step::Store { record, journaled: false }, |_| ());
            }
            Step::Store { record, journaled } => {
                next.go(Step::Clean, |w| w.keep(record));
                // Without a journal at all, a failing store is no excuse.
                next.fail_to_store(Step::Unlock, record, self.journal && !journaled);
            }
            Step::Clean => next.go(Step::Unlock, |w| w.journal = Journal::Nothing),
            Step::Remove(n, generation) => self.remove(&mut next, n, generation),
            Step::Unlock => next.go(Step::Ended, |w| w.lock = w.lock.filter(|&held| held != i)),
            Step::Lock | Step::Ended => {}
        }
        next.worlds
    }

    fn generations(world: &World) -> Generations {
        Generations { record: world.store.map_or(0, |record| record.0), tombstone: world.tombstone }
    }

    /// RECOVER: what the journal makes of it.
    fn recover(self, world: &World) -> Step {
        match world.journal {
            Journal::Answer(record)
                if !self.generations || Self::generations(world).lacks(record.0) =>
            {
                Step::Replay(record)
            }
            Journal::Answer(_) => Step::ClearReplayed,
            Journal::Nothing | Journal::Unanswered => Step::Reread,
        }
    }

    /// The record, unless it was logged out.
    fn usable(self, world: &World) -> Option<Record> {
        world.store.filter(|_| !self.generations || Self::generations(world).is_session())
    }

    /// RE-READ: what there is to do.
    fn reread(self, next: &mut Next<'_>) {
        let (world, process) = (next.world, &next.world.processes[next.i]);
        let usable = self.usable(world);
        let generations = Self::generations(world);
        match (process.kind, usable) {
            (Renew, None) => next.go(Step::Unlock, |_| ()),
            (Renew, Some(_)) if self.generations && generations.is_newer_than(process.seen) => {
                next.go(Step::Unlock, |_| ());
            }
            (Renew, Some(_)) => {
                let unanswered = world.journal == Journal::Unanswered;
                // The model has no clock: a token that lives may end at any time.
                for lives in [world.lives, false] {
                    let step = match protocol::next(unanswered && self.patience, lives) {
                        protocol::Next::Ask => Step::Intent(generations.next()),
                        protocol::Next::Serve => Step::Unlock,
                    };
                    next.go(step, |w| w.lives = lives);
                }
            }
            (Login, _) => next.go(Step::Intent(generations.next()), |_| ()),
            (Logout, _) => {
                let kept = match world.journal {
                    Journal::Answer(record) => record.0,
                    Journal::Nothing | Journal::Unanswered => 0,
                };
                next.go(Step::Remove(0, generations.newest().max(kept)), |_| ());
            }
        }
    }

    /// SEND: the server's part, and its answer.
    fn send(next: &mut Next<'_>, generation: u64) {
        let (world, i) = (next.world, next.i);
        if world.processes[i].kind == Login {
            let log_in = world.log_ins + 1;
            next.go(Step::Got((generation, (log_in, 0))), |w| {
                w.log_ins = log_in;
                w.server = Some((log_in, 0));
                w.session = Some(log_in);
            });
            return;
        }
        let Some((_, spent)) = world.store else { return next.go(Step::Unlock, |_| ()) };
        if world.server == Some(spent) {
            let new = (spent.0, spent.1 + 1);
            let carry_out = |w: &mut World| {
                w.server = Some(new);
                w.processes[i].asked_after = Some(w.processes[i].seen);
            };
            next.go(Step::Got((generation, new)), carry_out);
            next.fail(
                |f| &mut f.answer,
                Step::Unlock,
                |w| {
                    carry_out(w);
                    w.excused = true;
                },
            );
        } else {
            // What was spent before and comes again is taken for stolen.
            let stolen = world.server.is_some_and(|current| current.0 == spent.0);
            next.go(Step::Unlock, |w| {
                w.server = w.server.filter(|_| !stolen);
                w.burned |= stolen && w.lives;
            });
        }
    }

    fn remove(self, next: &mut Next<'_>, n: usize, generation: u64) {
        let step = if n == 2 { Step::Unlock } else { Step::Remove(n + 1, generation) };
        let mut order = protocol::LOGOUT.map(Some);
        if !self.tombstone_first {
            order.reverse();
            order[2] = None;
        }
        next.go(step, |w| {
            w.session = None;
            match order[n] {
                Some(Removal::Tombstone) => w.tombstone = generation,
                Some(Removal::Journal) => w.journal = Journal::Nothing,
                Some(Removal::Record) => w.store = None,
                None => {}
            }
        });
    }

    /// What is wrong once all have ended and a last process has recovered what there was.
    fn judge(self, world: &World, faults: Faults) -> Option<Violation> {
        let mut last = world.clone();
        if let Step::Replay(record) = self.recover(world) {
            last.store = Some(record);
        }
        let token = self.usable(&last).map(|record| record.1);
        let asked: Vec<u64> = world.processes.iter().filter_map(|p| p.asked_after).collect();
        let twice = asked.iter().collect::<HashSet<_>>().len() < asked.len();
        match world.session {
            _ if world.burned => Some(Violation::Burned),
            _ if twice && world.faults == faults => Some(Violation::AskedTwice),
            None if token.is_some() => Some(Violation::Resurrected),
            Some(_) if !world.excused && (world.server.is_none() || token != world.server) => {
                Some(Violation::Lost)
            }
            _ => None,
        }
    }

    /// All that can go wrong when these run at once.
    fn violations(self, kinds: &[Kind]) -> HashSet<Violation> {
        let faults = Faults {
            kills: if kinds.len() < 3 { 2 } else { 1 },
            journal: 1,
            store: 1,
            echo: 1,
            answer: 1,
        };
        let process = |&kind| Process { kind, step: Step::Read, seen: 0, asked_after: None };
        let begin = World {
            server: Some((1, 0)),
            log_ins: 1,
            store: Some((1, (1, 0))),
            journal: Journal::Nothing,
            tombstone: 0,
            lock: None,
            processes: kinds.iter().map(process).collect(),
            faults,
            session: Some(1),
            lives: true,
            burned: false,
            excused: false,
        };
        let (mut known, mut found) = (HashSet::from([begin.clone()]), HashSet::new());
        let mut open = vec![begin];
        while let Some(world) = open.pop() {
            let worlds = self.follow(&world);
            if world.processes.iter().all(|process| process.step == Step::Ended) {
                found.extend(self.judge(&world, faults));
            }
            open.extend(worlds.into_iter().filter(|world| known.insert(world.clone())));
        }
        found
    }
}

/// The worlds that one step of a process can lead to.
struct Next<'a> {
    world: &'a World,
    i: usize,
    worlds: Vec<World>,
}

impl Next<'_> {
    fn go(&mut self, step: Step, change: impl FnOnce(&mut World)) {
        let mut world = self.world.clone();
        world.processes[self.i].step = step;
        change(&mut world);
        self.worlds.push(world);
    }

    /// The same, if such a fault can still happen.
    fn fail(
        &mut self,
        fault: impl Fn(&mut Faults) -> &mut u8,
        step: Step,
        change: impl FnOnce(&mut World),
    ) {
        let mut faults = self.world.faults;
        let left = fault(&mut faults);
        if *left > 0 {
            *left -= 1;
            self.go(step, |world| {
                world.faults = faults;
                change(world);
            });
        }
    }

    fn fail_to_store(&mut self, step: Step, record: Record, excused: bool) {
        self.fail(|f| &mut f.store, step, |world| world.excused |= excused);
        self.fail(|f| &mut f.echo, step, |world| world.keep(record));
    }

    /// A kill: the lock is released by death, and what was only in memory is gone.
    fn kill(&mut self) {
        let i = self.i;
        let hole = match self.world.processes[i].step {
            Step::Got(_) => true,
            Step::Store { journaled, .. } => !journaled,
            _ => false,
        };
        self.fail(
            |f| &mut f.kills,
            Step::Ended,
            |world| {
                world.lock = world.lock.filter(|&held| held != i);
                world.excused |= hole;
            },
        );
    }
}

/// Everything that may run at once.
const TOGETHER: [&[Kind]; 6] = [
    &[Renew, Renew],
    &[Renew, Renew, Renew],
    &[Renew, Login],
    &[Renew, Logout],
    &[Login, Logout],
    &[Renew, Login, Logout],
];

fn violations(protocol: Protocol, together: &[&[Kind]]) -> HashSet<Violation> {
    together.iter().flat_map(|kinds| protocol.violations(kinds)).collect()
}

#[test]
fn the_protocol_loses_nothing_brings_nothing_back_and_asks_once() {
    assert_eq!(violations(WHOLE, &TOGETHER), HashSet::new());
}

#[test]
fn without_the_journal_sessions_are_lost() {
    let found = violations(Protocol { journal: false, ..WHOLE }, &TOGETHER[..1]);
    assert!(found.contains(&Violation::Lost), "{found:?}");
}

#[test]
fn without_the_lock_sessions_are_lost_and_brought_back() {
    let found = violations(Protocol { lock: false, ..WHOLE }, &[TOGETHER[0], TOGETHER[3]]);
    assert!(found.contains(&Violation::Lost), "{found:?}");
    assert!(found.contains(&Violation::Resurrected), "{found:?}");
}

#[test]
fn without_generations_all_ask_and_what_was_logged_out_comes_back() {
    let found = violations(Protocol { generations: false, ..WHOLE }, &[TOGETHER[0], TOGETHER[3]]);
    assert!(found.contains(&Violation::AskedTwice), "{found:?}");
    assert!(found.contains(&Violation::Resurrected), "{found:?}");
}

#[test]
fn a_logout_that_begins_with_the_record_can_be_undone_by_the_journal() {
    let found = violations(Protocol { tombstone_first: false, ..WHOLE }, &TOGETHER[3..4]);
    assert!(found.contains(&Violation::Resurrected), "{found:?}");
}

#[test]
fn a_refresh_token_that_may_be_spent_takes_a_living_token_with_it() {
    let found = violations(Protocol { patience: false, ..WHOLE }, &TOGETHER[..1]);
    assert_eq!(found, HashSet::from([Violation::Burned]));
}
