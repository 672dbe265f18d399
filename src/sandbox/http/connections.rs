//! The open connections: bounded in number, and all ended together when the server stops.

use std::collections::HashMap;
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The most connections at once; more wait in the listener's queue.
const MOST: usize = 512;

/// Every open connection, and whether the server goes on.
#[derive(Default)]
pub(in crate::sandbox) struct Connections {
    state: Mutex<State>,
    freed: Condvar,
    stopped: Condvar,
}

#[derive(Default)]
struct State {
    stopping: bool,
    next: u64,
    open: HashMap<u64, Arc<TcpStream>>,
}

impl Connections {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a stream in once there is room; nothing when the server stops.
    pub(super) fn admit(self: &Arc<Self>, stream: TcpStream) -> Option<Connection> {
        let full = |state: &mut State| state.open.len() >= MOST && !state.stopping;
        let mut state =
            self.freed.wait_while(self.lock(), full).unwrap_or_else(PoisonError::into_inner);
        if state.stopping {
            return None;
        }
        let (id, stream) = (state.next, Arc::new(stream));
        state.next += 1;
        state.open.insert(id, Arc::clone(&stream));
        Some(Connection { id, stream, all: Arc::clone(self) })
    }

    /// Waits for a time, or until the server stops.
    pub(in crate::sandbox) fn sleep(&self, time: Duration) {
        if !time.is_zero() {
            drop(self.stopped.wait_timeout_while(self.lock(), time, |state| !state.stopping));
        }
    }

    /// Waits until the server stops.
    pub(in crate::sandbox) fn wait(&self) {
        drop(self.stopped.wait_while(self.lock(), |state| !state.stopping));
    }

    /// How many are open.
    pub(in crate::sandbox) fn count(&self) -> usize {
        self.lock().open.len()
    }

    /// Whether the server stops.
    pub(super) fn stopping(&self) -> bool {
        self.lock().stopping
    }

    /// Ends every connection, and whatever waits here.
    pub(in crate::sandbox) fn stop(&self) {
        let mut state = self.lock();
        state.stopping = true;
        for stream in state.open.values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
        self.freed.notify_all();
        self.stopped.notify_all();
    }
}

/// One of them; its place is free again when this is dropped.
pub(super) struct Connection {
    /// The stream.
    pub(super) stream: Arc<TcpStream>,
    id: u64,
    all: Arc<Connections>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.all.lock().open.remove(&self.id);
        self.all.freed.notify_one();
    }
}
