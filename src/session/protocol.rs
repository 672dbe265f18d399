//! The decisions of the renewal protocol, apart from what they are made about.
//!
//! They are here, and not beside the files and requests that they decide on, so that the model in
//! `tests/model.rs` takes them as they are: what it proves is proved of these.

/// The generations that a slot knows of; the first is 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Generations {
    /// That of the store's record; 0 where there is none.
    pub record: u64,
    /// Whatever is no newer than this was logged out.
    pub tombstone: u64,
}

impl Generations {
    /// The newest that ever was.
    #[must_use]
    pub const fn newest(self) -> u64 {
        if self.record > self.tombstone { self.record } else { self.tombstone }
    }

    /// That of what is asked for now.
    #[must_use]
    pub const fn next(self) -> u64 {
        self.newest().saturating_add(1)
    }

    /// Whether the record's tokens are a session: they were not logged out.
    #[must_use]
    pub const fn is_session(self) -> bool {
        self.record > self.tombstone
    }

    /// RECOVER: whether an answer that waits in the journal is to be stored; else it is old.
    #[must_use]
    pub const fn lacks(self, answer: u64) -> bool {
        answer > self.newest()
    }

    /// RE-READ: whether another process has renewed since `seen` was read.
    #[must_use]
    pub const fn is_newer_than(self, seen: u64) -> bool {
        self.record > seen
    }
}

/// RE-READ, where nobody else has renewed: what an earlier request means for the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The server may be asked.
    Ask,
    /// The present token serves on: an earlier request has no answer, and its refresh token may be
    /// spent. A strict server takes a second use for a theft, and ends the access token with it.
    Serve,
}

/// What to do about a token that is due: `unanswered` tells of a request without an answer that can be
/// read, `lives` of a token that can still serve.
#[must_use]
pub const fn next(unanswered: bool, lives: bool) -> Next {
    if unanswered && lives { Next::Serve } else { Next::Ask }
}

/// One step of a logout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// The tombstone is written: from here on nothing older counts.
    Tombstone,
    /// The journal goes.
    Journal,
    /// The record goes, and the journal's key with it.
    Record,
}

/// The steps of a logout, in their order: what a kill leaves over is known to be old.
pub const LOGOUT: [Removal; 3] = [Removal::Tombstone, Removal::Journal, Removal::Record];
