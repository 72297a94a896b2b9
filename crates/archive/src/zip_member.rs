//! One file inside a zip: where its compressed bytes are, what they decompress to, and whether that is true.

use std::fs::File;
use std::io;

use flate2::{Crc, Decompress, FlushDecompress, Status};

use crate::source::read_exact_at;

/// How many compressed bytes are read at once.
const INPUT: usize = 128 << 10;

/// A file inside a zip, as the zip's central directory describes it. It is not proven until it has been decompressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZipMember {
    /// Position of the first compressed byte in the zip.
    pub offset: u64,
    /// Size in the zip.
    pub packed: u64,
    /// Size of the file itself.
    pub size: u64,
    /// CRC-32 of the file itself.
    pub crc32: u32,
    pub method: ZipMethod,
}

/// The methods that every zip reader knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZipMethod {
    Stored,
    Deflated,
}

impl ZipMethod {
    /// `None` for a method that is not supported here.
    pub(crate) fn of_code(code: u16) -> Option<Self> {
        match code {
            0 => Some(Self::Stored),
            8 => Some(Self::Deflated),
            _ => None,
        }
    }

    pub(crate) fn code(self) -> u16 {
        match self {
            Self::Stored => 0,
            Self::Deflated => 8,
        }
    }
}

/// Why one entry of a zip is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MemberFault {
    #[error("it is encrypted")]
    Encrypted,
    #[error("it is compressed by method {method}; only 0 (stored) and 8 (deflated) are read")]
    Method { method: u16 },
    #[error("its local header disagrees with the central directory on its {field}")]
    Disagrees { field: &'static str },
    #[error("there is no local header where the central directory says")]
    NoHeader,
    #[error("it overlaps what follows it")]
    Overlap,
    #[error("its {field} is malformed")]
    Field { field: &'static str },
    #[error("its compressed bytes are damaged")]
    Stream,
    #[error("it unpacks to more than the {size} bytes declared")]
    Longer { size: u64 },
    #[error("it unpacks to fewer than the {size} bytes declared")]
    Shorter { size: u64 },
    #[error("it has data after the end of its compressed stream")]
    Trailing,
    #[error("its CRC-32 is {actual:08x}, the central directory says {expected:08x}")]
    Crc { expected: u32, actual: u32 },
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum MemberError {
    #[error("{0}")]
    Read(io::Error),
    #[error("{0}")]
    Fault(#[from] MemberFault),
}

impl From<MemberError> for io::Error {
    fn from(error: MemberError) -> Self {
        match error {
            MemberError::Read(source) => source,
            MemberError::Fault(fault) => Self::new(io::ErrorKind::InvalidData, fault),
        }
    }
}

/// Decompresses one member after another, fed with compressed bytes; nothing is trusted before [`Self::end`].
pub(crate) struct MemberUnpacker {
    member: ZipMember,
    /// Kept from member to member because it is large.
    inflate: Decompress,
    crc: Crc,
    taken: u64,
    given: u64,
    ended: bool,
}

impl MemberUnpacker {
    pub(crate) fn new(member: ZipMember) -> Self {
        Self { member, inflate: Decompress::new(false), crc: Crc::new(), taken: 0, given: 0, ended: false }
    }

    pub(crate) fn restart(&mut self, member: ZipMember) {
        self.member = member;
        self.inflate.reset(false);
        self.crc.reset();
        (self.taken, self.given, self.ended) = (0, 0, false);
    }

    /// Decompresses the whole member at once; `out` must be as long as its size.
    pub(crate) fn whole(&mut self, packed: &[u8], out: &mut [u8]) -> Result<(), MemberFault> {
        let (mut taken, mut given) = (0, 0);
        while given < out.len() {
            let (more_taken, more_given) = self.step(&packed[taken..], &mut out[given..])?;
            if more_taken == 0 && more_given == 0 {
                return Err(MemberFault::Shorter { size: self.member.size });
            }
            taken += more_taken;
            given += more_given;
        }
        while self.wants_end() {
            taken += self.step_to_end(&packed[taken..])?;
        }
        self.check_end()
    }

    /// How much of `packed` was consumed and how much of `out` was filled.
    fn step(&mut self, packed: &[u8], out: &mut [u8]) -> Result<(usize, usize), MemberFault> {
        let (taken, given) = match self.member.method {
            ZipMethod::Stored => {
                let length = packed.len().min(out.len());
                out[..length].copy_from_slice(&packed[..length]);
                (length, length)
            }
            ZipMethod::Deflated if self.ended => (0, 0),
            ZipMethod::Deflated => {
                let before = (self.inflate.total_in(), self.inflate.total_out());
                let status = self.inflate.decompress(packed, out, FlushDecompress::None);
                self.ended = status.map_err(|_| MemberFault::Stream)? == Status::StreamEnd;
                let (taken, given) = (self.inflate.total_in() - before.0, self.inflate.total_out() - before.1);
                (taken as usize, given as usize)
            }
        };
        self.crc.update(&out[..given]);
        self.taken += taken as u64;
        self.given += given as u64;
        Ok((taken, given))
    }

    /// All bytes are there, but the compressed stream has not ended yet.
    fn wants_end(&self) -> bool {
        self.member.method == ZipMethod::Deflated && !self.ended
    }

    fn step_to_end(&mut self, packed: &[u8]) -> Result<usize, MemberFault> {
        let (taken, given) = self.step(packed, &mut [0])?;
        if given > 0 {
            return Err(MemberFault::Longer { size: self.member.size });
        }
        if taken == 0 && !self.ended {
            return Err(MemberFault::Stream);
        }
        Ok(taken)
    }

    fn check_end(&self) -> Result<(), MemberFault> {
        if self.taken != self.member.packed {
            return Err(MemberFault::Trailing);
        }
        let (expected, actual) = (self.member.crc32, self.crc.sum());
        if actual == expected { Ok(()) } else { Err(MemberFault::Crc { expected, actual }) }
    }
}

/// Decompresses a member from its zip, piece by piece, with little memory.
pub(crate) struct MemberReader {
    unpacker: MemberUnpacker,
    member: ZipMember,
    /// Bytes that were read and not yet decompressed.
    input: Vec<u8>,
    used: usize,
    read: u64,
}

impl MemberReader {
    pub(crate) fn new(member: ZipMember) -> Self {
        Self { unpacker: MemberUnpacker::new(member), member, input: Vec::new(), used: 0, read: 0 }
    }

    /// Fills `out` with the next bytes of the file; there must be as many. Reading the last of them checks the whole.
    pub(crate) fn fill(&mut self, file: &File, out: &mut [u8]) -> Result<(), MemberError> {
        let mut given = 0;
        while given < out.len() {
            self.refill(file)?;
            let (taken, more) = self.unpacker.step(&self.input[self.used..], &mut out[given..])?;
            if taken == 0 && more == 0 {
                return Err(MemberFault::Shorter { size: self.member.size }.into());
            }
            self.used += taken;
            given += more;
        }
        if self.unpacker.given == self.member.size {
            while self.unpacker.wants_end() {
                self.refill(file)?;
                self.used += self.unpacker.step_to_end(&self.input[self.used..])?;
            }
            self.unpacker.check_end()?;
        }
        Ok(())
    }

    fn refill(&mut self, file: &File) -> Result<(), MemberError> {
        let left = self.member.packed - self.read;
        if self.used == self.input.len() && left > 0 {
            self.input.resize(INPUT.min(usize::try_from(left).unwrap_or(INPUT)), 0);
            read_exact_at(file, &mut self.input, self.member.offset + self.read).map_err(MemberError::Read)?;
            self.read += self.input.len() as u64;
            self.used = 0;
        }
        Ok(())
    }
}
