//! Puts curl's command line together, and hands over what must not stand on it.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::Command;

use super::plan::{Requests, Word};
use super::{Call, command, header, os, private};
use crate::error::{Error, Result};
use crate::secret::Secret;
use crate::signals::Attended;

/// A curl about to be started.
pub(super) struct Launch {
    pub(super) command: Command,
    /// The descriptors that it inherits.
    handed: Vec<OwnedFd>,
}

impl Launch {
    /// With the user's options, as judged, and with the token, beside which `settings` hold.
    pub(super) fn new(
        call: &Call,
        requests: &Requests,
        token: &Secret,
        settings: &[u8],
    ) -> Result<Self> {
        let mut launch = Self { command: command(call), handed: Vec::new() };
        // Only as the very first does it keep curl from its own `.curlrc`.
        launch.command.arg("-q");
        let told = Secret::new([header(token).expose(), settings].concat());
        for word in &requests.words {
            match word {
                Word::Option(item) => {
                    launch.command.arg(item.flag()).args(item.value.as_deref().map(os));
                    Ok(())
                }
                Word::Config(text) => launch.configure(text.expose()),
                Word::Token => launch.configure(told.expose()),
            }
            .map_err(|error| Error::io("can't hand the token to curl", error))?;
        }
        Ok(launch)
    }

    /// Adds options that don't show on the command line.
    fn configure(&mut self, text: &[u8]) -> io::Result<()> {
        let fd = private::holding(text)?;
        self.command.arg("--config").arg(private::path(&fd));
        self.handed.push(fd);
        Ok(())
    }

    /// Has curl inherit a descriptor.
    pub(super) fn hand(&mut self, fd: impl Into<OwnedFd>) {
        self.handed.push(fd.into());
    }

    /// Turns this process into curl; it only comes back where that can't be.
    pub(super) fn exec(mut self) -> io::Result<io::Error> {
        for fd in &self.handed {
            private::inherit(fd, true)?;
        }
        Ok(self.command.exec())
    }

    /// Starts curl. That it can't be started is no error here, but the answer.
    pub(super) fn spawn(mut self) -> io::Result<Result<Attended, io::Error>> {
        for fd in &self.handed {
            private::inherit(fd, true)?;
        }
        Ok(Attended::spawn(&mut self.command))
    }
}
