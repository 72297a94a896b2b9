//! Compares an entry's local header with its row in the central directory.

use std::io;

use crate::zip_directory::{ZipEntry, extra_fields, read_zip64, u16_at, u32_at, u64_at};
use crate::zip_member::{MemberError, MemberFault, ZipMember, ZipMethod};

pub(crate) const LOCAL: usize = 30;
/// Signature, CRC-32, two sizes of eight bytes.
const MAX_DESCRIPTOR: usize = 24;

/// Reads exactly the bytes at an offset of the zip.
pub(crate) type ReadAt<'a> = &'a mut dyn FnMut(u64, &mut [u8]) -> io::Result<()>;

/// Where the data of `entry` is, if everything about it matches the central directory. `end` is where it must end at
/// the latest; nothing behind that is read.
pub(crate) fn check_local(
    entry: &ZipEntry,
    name: &[u8],
    end: u64,
    read_at: ReadAt<'_>,
) -> Result<ZipMember, MemberError> {
    if entry.is_encrypted() {
        return Err(MemberFault::Encrypted.into());
    }
    let method = ZipMethod::of_code(entry.method).ok_or(MemberFault::Method { method: entry.method })?;
    let within = |from: u64, length: u64| match from.checked_add(length) {
        Some(to) if to <= end => Ok(to),
        _ => Err(MemberError::from(MemberFault::Overlap)),
    };
    let mut fixed = [0; LOCAL];
    let after_fixed = within(entry.offset, LOCAL as u64)?;
    read_at(entry.offset, &mut fixed).map_err(MemberError::Read)?;
    if !fixed.starts_with(b"PK\x03\x04") {
        return Err(MemberFault::NoHeader.into());
    }
    let (name_length, extra_length) = (u16_at(&fixed, 26) as usize, u16_at(&fixed, 28) as usize);
    let offset = within(after_fixed, (name_length + extra_length) as u64)?;
    let mut rest = vec![0; name_length + extra_length];
    read_at(after_fixed, &mut rest).map_err(MemberError::Read)?;
    let (local_name, extra) = rest.split_at(name_length);
    if local_name != name {
        return Err(MemberFault::Disagrees { field: "name" }.into());
    }
    check_fields(entry, &fixed, extra)?;
    if method == ZipMethod::Stored && entry.packed != entry.size {
        return Err(MemberFault::Disagrees { field: "size" }.into());
    }
    let after_data = within(offset, entry.packed)?;
    if entry.has_descriptor() {
        let length = (end - after_data).min(MAX_DESCRIPTOR as u64) as usize;
        let mut descriptor = [0; MAX_DESCRIPTOR];
        read_at(after_data, &mut descriptor[..length]).map_err(MemberError::Read)?;
        if !is_descriptor_of(entry, &descriptor[..length]) {
            return Err(MemberFault::Disagrees { field: "data descriptor" }.into());
        }
    }
    Ok(ZipMember { offset, packed: entry.packed, size: entry.size, crc32: entry.crc32, method })
}

fn check_fields(entry: &ZipEntry, fixed: &[u8; LOCAL], extra: &[u8]) -> Result<(), MemberFault> {
    let disagrees = |field| Err(MemberFault::Disagrees { field });
    // Encryption, and where the sizes are: what decides how the bytes that follow are read.
    const DECISIVE: u16 = 1 | 1 << 3 | 1 << 6 | 1 << 13;
    if (u16_at(fixed, 6) ^ entry.flags) & DECISIVE != 0 {
        return disagrees("flags");
    }
    if u16_at(fixed, 8) != entry.method {
        return disagrees("method");
    }
    let crc32 = u32_at(fixed, 14);
    let (mut packed, mut size) = (u64::from(u32_at(fixed, 18)), u64::from(u32_at(fixed, 22)));
    for field in extra_fields(extra) {
        match field? {
            // The format requires both here, even when one of them would fit.
            (0x0001, body) if body.len() >= 16 => {
                let large = |small: u64, at| if small == u64::from(u32::MAX) { u64_at(body, at) } else { small };
                (size, packed) = (large(size, 0), large(packed, 8));
            }
            (0x0001, body) => read_zip64(body, &mut [&mut size, &mut packed].into_iter())?,
            _ => {}
        }
    }
    let deferred = entry.has_descriptor();
    let agree = |local: u64, central: u64| local == central || deferred && local == 0;
    if !agree(crc32.into(), entry.crc32.into()) {
        return disagrees("CRC-32");
    }
    if !agree(size, entry.size) || !agree(packed, entry.packed) {
        return disagrees("size");
    }
    Ok(())
}

/// With or without its signature, with sizes of four or eight bytes.
fn is_descriptor_of(entry: &ZipEntry, bytes: &[u8]) -> bool {
    let bodies = [bytes.strip_prefix(b"PK\x07\x08"), Some(bytes)];
    bodies.into_iter().flatten().any(|body| {
        let crc32 = body.len() >= 12 && u32_at(body, 0) == entry.crc32;
        let short = || (u64::from(u32_at(body, 4)), u64::from(u32_at(body, 8))) == (entry.packed, entry.size);
        let long = || body.len() >= 20 && (u64_at(body, 4), u64_at(body, 12)) == (entry.packed, entry.size);
        crc32 && (short() || long())
    })
}
