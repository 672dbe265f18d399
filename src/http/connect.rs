//! How a connection is made, and how far it came.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectProxyConnector, ConnectionDetails, Connector, NextTimeout, RustlsConnector,
    SocksConnector, TcpConnector, Transport,
};

/// How far a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The name is looked up.
    Lookup,
    /// A connection is made, to the server or to a proxy.
    Connect,
    /// TLS is agreed upon.
    Secure,
    /// The request is on its way: nobody can say any more that it did not arrive.
    Sent,
}

/// The phase, as the layers of a connection report it.
#[derive(Debug)]
pub(super) struct Progress {
    phase: AtomicU8,
    proxied: bool,
}

impl Progress {
    /// Of a request that goes through a proxy, or of one that doesn't.
    pub(super) const fn new(proxied: bool) -> Self {
        Self { phase: AtomicU8::new(Phase::Lookup as u8), proxied }
    }

    fn reach(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    /// Whether this connection leads to the server: the layers are gone through once more for
    /// the connection to a proxy.
    fn is_to_server(&self, details: &ConnectionDetails) -> bool {
        details.config.proxy().is_some() == self.proxied
    }

    /// The phase reached last.
    pub(super) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            0 => Phase::Lookup,
            1 => Phase::Connect,
            2 => Phase::Secure,
            _ => Phase::Sent,
        }
    }
}

/// How late a wait must end to tell that this process was stopped meanwhile (SIGSTOP, a debugger, a
/// frozen container): far more than a busy machine is late by.
const OVERSLEPT: Duration = Duration::from_millis(100);

/// When a request must have its answer: ureq's own limits count from elsewhere.
///
/// Who was stopped finds its time over although nobody was slow, and its answer may be there
/// already, for which a refresh token was spent. So it has its time anew, once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    at: Instant,
    again: Option<Duration>,
}

impl Deadline {
    /// So long from now on.
    pub(super) fn after(time: Duration) -> Self {
        Self { at: Instant::now() + time, again: Some(time) }
    }

    fn within(&self, mut timeout: NextTimeout) -> NextTimeout {
        let left = self.at.saturating_duration_since(Instant::now()).into();
        timeout.after = timeout.after.min(left);
        timeout
    }

    /// Whether there is time again, since this process was stopped.
    fn begins_anew(&mut self) -> bool {
        let overslept = self.at.elapsed() > OVERSLEPT;
        match self.again.take_if(|_| overslept) {
            Some(time) => {
                self.at = Instant::now() + time;
                true
            }
            None => false,
        }
    }
}

/// The layers of a connection, each told by what it passes on.
pub(super) fn chain(progress: &Arc<Progress>, deadline: Deadline) -> impl Connector {
    let layers =
        ().chain(SocksConnector::default())
            .chain(ConnectProxyConnector::default())
            .chain(TcpConnector::default())
            .chain(Connected(Arc::clone(progress)))
            .chain(RustlsConnector::default())
            .chain(Guard { progress: Arc::clone(progress), deadline });
    Held { layers, deadline }
}

/// Holds the making of a connection to the deadline.
#[derive(Debug)]
struct Held<C> {
    layers: C,
    deadline: Deadline,
}

impl<In: Transport, C: Connector<In>> Connector<In> for Held<C> {
    type Out = C::Out;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        let timeout = self.deadline.within(details.timeout);
        // No time at all would be taken for a second.
        if timeout.after.is_zero() {
            return Err(Error::Timeout(timeout.reason));
        }
        let held = ConnectionDetails {
            timeout,
            addrs: details.addrs.clone(),
            current_time: Arc::clone(&details.current_time),
            run_connector: Arc::clone(&details.run_connector),
            register_shutdown: Arc::clone(&details.register_shutdown),
            ..*details
        };
        self.layers.connect(&held, chained)
    }
}

/// Looks names up, but never `localhost`: a resolver may say anything.
pub(super) struct Lookup {
    progress: Arc<Progress>,
    deadline: Deadline,
    system: DefaultResolver,
}

impl Lookup {
    pub(super) fn new(progress: &Arc<Progress>, deadline: Deadline) -> Self {
        Self { progress: Arc::clone(progress), deadline, system: DefaultResolver::default() }
    }
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lookup")
    }
}

impl Resolver for Lookup {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let mut addresses = self.empty();
        for address in known(uri) {
            addresses.push(address);
        }
        if addresses.is_empty() {
            addresses = self.system.resolve(uri, config, self.deadline.within(timeout))?;
        }
        self.progress.reach(Phase::Connect);
        Ok(addresses)
    }
}

/// The addresses of a host that needs no lookup, for which a thread would be started: one that is an
/// address itself, or `localhost`, which has both.
fn known(uri: &Uri) -> Vec<SocketAddr> {
    let host = uri.host().unwrap_or_default();
    let usual = if uri.scheme_str() == Some("https") { 443 } else { 80 };
    let port = uri.port_u16().unwrap_or(usual);
    if host.strip_suffix('.').unwrap_or(host).eq_ignore_ascii_case("localhost") {
        return vec![(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()];
    }
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    address.into_iter().map(|address| (address, port).into()).collect()
}

/// Notes that there is a connection to the server.
#[derive(Debug)]
struct Connected(Arc<Progress>);

impl<In: Transport> Connector<In> for Connected {
    type Out = In;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<In>, Error> {
        if self.0.is_to_server(details) {
            self.0.reach(Phase::Secure);
        }
        Ok(chained)
    }
}

/// Notes the first byte of the request, and holds every wait to the deadline.
#[derive(Debug)]
struct Guard {
    progress: Arc<Progress>,
    deadline: Deadline,
}

impl<In: Transport> Connector<In> for Guard {
    type Out = Guarded<In>;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        let progress = self.progress.is_to_server(details).then(|| Arc::clone(&self.progress));
        Ok(chained.map(|inner| Guarded { inner, progress, deadline: self.deadline }))
    }
}

#[derive(Debug)]
struct Guarded<T> {
    inner: T,
    /// Told when the request goes out; what goes to a proxy is no request yet.
    progress: Option<Arc<Progress>>,
    deadline: Deadline,
}

impl<T: Transport> Transport for Guarded<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.deadline.begins_anew();
        let timeout = self.deadline.within(timeout);
        // It need not have been sent where there is no time left for it.
        if timeout.after.is_zero() {
            return Err(Error::Timeout(timeout.reason));
        }
        if let Some(progress) = &self.progress {
            progress.reach(Phase::Sent);
        }
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        match self.inner.await_input(self.deadline.within(timeout)) {
            Err(Error::Timeout(_)) if self.deadline.begins_anew() => {
                self.inner.await_input(self.deadline.within(timeout))
            }
            result => result,
        }
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_and_localhost_need_no_lookup_and_nothing_else_does() {
        let at = |uri: &str| {
            let addresses = known(&uri.parse().unwrap());
            addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(at("http://localhost:8080/t"), "127.0.0.1:8080 [::1]:8080");
        assert_eq!(at("https://LOCALHOST./t"), "127.0.0.1:443 [::1]:443");
        assert_eq!(at("http://localhost/t"), "127.0.0.1:80 [::1]:80");
        assert_eq!(at("http://127.0.0.1/t"), "127.0.0.1:80");
        assert_eq!(at("https://[2001:db8::1]/t"), "[2001:db8::1]:443");
        for other in ["https://localhost.example/t", "https://a.localhost/t", "https://127.1/t"] {
            assert_eq!(at(other), "");
        }
    }
}
