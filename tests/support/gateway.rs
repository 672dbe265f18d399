//! A server in front of the sandbox, which does its worst when a test says so.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// What a server does with a connection.
pub type Deed = fn(&mut TcpStream) -> io::Result<()>;

/// A server on loopback, for as long as the tests run.
pub struct Gateway {
    address: SocketAddr,
    deed: Arc<Mutex<Option<Deed>>>,
    done: Arc<AtomicUsize>,
}

impl Gateway {
    /// Leads every connection to `to`, until it is told otherwise.
    pub fn start(to: SocketAddr) -> Self {
        Self::at("127.0.0.1:0".parse().unwrap(), to)
    }

    /// The same, at an address of the test's choice.
    pub fn at(address: SocketAddr, to: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let gateway = Self { address, deed: Arc::default(), done: Arc::default() };
        let (deed, done) = (Arc::clone(&gateway.deed), Arc::clone(&gateway.done));
        thread::spawn(move || {
            for mut connection in listener.incoming().flatten() {
                let deed = *deed.lock().unwrap();
                if deed.is_some() {
                    done.fetch_add(1, Ordering::SeqCst);
                }
                // Whoever asked may be gone at any time.
                thread::spawn(move || match deed {
                    Some(deed) => deed(&mut connection),
                    None => lead(&connection, to),
                });
            }
        });
        gateway
    }

    /// From now on it does this.
    pub fn does(&self, deed: Deed) {
        *self.deed.lock().unwrap() = Some(deed);
        self.done.store(0, Ordering::SeqCst);
    }

    /// From now on it leads on again.
    pub fn behaves(&self) {
        *self.deed.lock().unwrap() = None;
    }

    /// To how many connections it did what it was told last.
    pub fn done(&self) -> usize {
        self.done.load(Ordering::SeqCst)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Carries bytes both ways until both sides are done.
fn lead(from: &TcpStream, to: SocketAddr) -> io::Result<()> {
    let to = TcpStream::connect(to)?;
    let (mut near, mut far) = (from.try_clone()?, to.try_clone()?);
    let there = thread::spawn(move || {
        let _ = io::copy(&mut near, &mut far);
        far.shutdown(Shutdown::Write)
    });
    let _ = io::copy(&mut &to, &mut &*from);
    let _ = from.shutdown(Shutdown::Both);
    let _ = there.join();
    Ok(())
}
