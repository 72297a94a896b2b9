//! The content of one file of a zip, in memory.

use std::fs::File;
use std::io;

use crate::zip_member::{MemberReader, ZipMember};

/// Decompresses `member` of the zip `file`, checking its size and CRC-32. The caller has looked at `member.size`, which is
/// allocated at once.
pub fn member_bytes(file: &File, member: &ZipMember) -> io::Result<Vec<u8>> {
    let size = usize::try_from(member.size).map_err(|_| io::ErrorKind::OutOfMemory)?;
    let mut bytes = vec![0; size];
    MemberReader::new(*member).fill(file, &mut bytes).map_err(io::Error::from)?;
    Ok(bytes)
}
