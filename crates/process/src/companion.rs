//! A program that is started early, for the one that will take this one's place: it gets ready meanwhile, and is then the
//! other's child.

use vocab::Work;

use crate::{Invocation, ProcessError};

/// A program that waits at its standard input. That is one end of a connection; the other is first ours, then the standard
/// input of the program that replaces this one.
///
/// Dropped, or when this process ends, it finds the end of its input, and is expected to end by itself.
#[derive(Debug)]
pub struct Companion {
    #[cfg(unix)]
    connection: std::os::unix::net::UnixStream,
    id: u32,
    #[cfg(not(unix))]
    never: std::convert::Infallible,
}

/// Starts it with this program's output and errors, in this program's session. Nothing is limited, captured or ended;
/// `stdin`, `timeout` and `log` do not apply.
#[cfg(unix)]
pub fn accompany(work: &Work, invocation: &Invocation) -> Result<Companion, ProcessError> {
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;
    use std::process::Stdio;

    let failed = |error| crate::not_started(invocation, error);
    let (connection, its) = UnixStream::pair().map_err(failed)?;
    let mut command = crate::command(work, invocation);
    command.stdin(Stdio::from(OwnedFd::from(its))).stdout(Stdio::inherit()).stderr(Stdio::inherit());
    let child = command.spawn().map_err(failed)?;
    Ok(Companion { connection, id: child.id() })
}

/// Windows cannot replace a program by another.
#[cfg(not(unix))]
pub fn accompany(_work: &Work, invocation: &Invocation) -> Result<Companion, ProcessError> {
    Err(crate::not_started(invocation, std::io::Error::from(std::io::ErrorKind::Unsupported)))
}

#[cfg(unix)]
impl Companion {
    /// Process number.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Writes to its standard input.
    ///
    /// # Errors
    /// It has ended.
    pub fn tell(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        std::io::Write::write_all(&mut self.connection, bytes)
    }

    /// Like [`replace`](crate::replace); the program has the other end of the connection as its standard input, and the
    /// companion as its child.
    pub fn replace(self, work: &Work, invocation: &Invocation) -> ProcessError {
        use std::os::fd::OwnedFd;
        use std::os::unix::process::CommandExt as _;
        use std::process::Stdio;

        let mut command = crate::command(work, invocation);
        command.stdin(Stdio::from(OwnedFd::from(self.connection))).stdout(Stdio::inherit()).stderr(Stdio::inherit());
        crate::not_started(invocation, command.exec())
    }
}

#[cfg(not(unix))]
impl Companion {
    /// Process number.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Writes to its standard input.
    pub fn tell(&mut self, _bytes: &[u8]) -> std::io::Result<()> {
        match self.never {}
    }

    /// Like [`replace`](crate::replace).
    pub fn replace(self, _work: &Work, _invocation: &Invocation) -> ProcessError {
        match self.never {}
    }
}
