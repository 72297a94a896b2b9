//! The code signature of a Mach-O slice: whether there is one, and whether it matches the present content.
//!
//! Only the first page of the code is compared with its digest. It holds the load commands, which tools change that
//! forget to sign again; damage elsewhere is found by the digests of whole files. Who signed, and whether anybody
//! trusts it, does not matter: an ad-hoc signature lets code run.

use object::ReadRef;
use vocab::Digest;

use crate::native_files::facts::{BinaryDamage, CodeSignature};

// Source: `cs_blobs.h` of Apple's kernel. All numbers are big-endian.
const EMBEDDED_SIGNATURE: u32 = 0xfade_0cc0;
const CODE_DIRECTORY: u32 = 0xfade_0c02;
/// Slots of the index that hold code directories: the first, and others with other kinds of digests.
const SLOT: u32 = 0;
const ALTERNATE_SLOTS: std::ops::Range<u32> = 0x1000..0x1005;
const SHA256: u8 = 2;
const MAX_BLOBS: u32 = 64;
/// Binary logarithm of the page size: 4 KB on Intel, 16 KB on Apple's own processors.
const PAGE_POWERS: std::ops::RangeInclusive<u8> = 12..=16;

/// `at` is relative to the slice, which starts at `slice`.
pub(crate) fn read<'data, R: ReadRef<'data>>(
    data: R,
    slice: u64,
    slice_size: u64,
    at: u64,
    size: u64,
) -> Result<CodeSignature, BinaryDamage> {
    let cut_off = || BinaryDamage::new("its code signature is cut off");
    if at.checked_add(size).is_none_or(|end| end > slice_size) {
        return Err(cut_off());
    }
    let blob = SignatureBlob { data, start: slice + at, size };
    if blob.number(0).ok_or_else(cut_off)? != EMBEDDED_SIGNATURE {
        return Err(BinaryDamage::new("its code signature is none"));
    }
    let count = blob.number(8).ok_or_else(cut_off)?;
    if count > MAX_BLOBS {
        return Err(BinaryDamage(format!("its code signature claims {count} parts")));
    }
    for row in 0..u64::from(count) {
        let slot = blob.number(12 + 8 * row).ok_or_else(cut_off)?;
        let offset = blob.number(16 + 8 * row).ok_or_else(cut_off)?;
        if slot != SLOT && !ALTERNATE_SLOTS.contains(&slot) {
            continue;
        }
        let directory = blob.from(offset.into()).ok_or_else(cut_off)?;
        if !first_page_fits(data, slice, slice_size, &directory).ok_or_else(cut_off)? {
            return Ok(CodeSignature::Stale);
        }
    }
    Ok(CodeSignature::Fits)
}

struct SignatureBlob<R> {
    data: R,
    start: u64,
    size: u64,
}

impl<'data, R: ReadRef<'data>> SignatureBlob<R> {
    fn bytes(&self, at: u64, size: u64) -> Option<&'data [u8]> {
        at.checked_add(size).filter(|end| *end <= self.size)?;
        self.data.read_bytes_at(self.start + at, size).ok()
    }

    fn number(&self, at: u64) -> Option<u32> {
        Some(u32::from_be_bytes(self.bytes(at, 4)?.try_into().ok()?))
    }

    fn from(&self, at: u64) -> Option<Self> {
        Some(Self { data: self.data, start: self.start + at, size: self.size.checked_sub(at)? })
    }
}

/// `None` if the directory is cut off. Also true for kinds of digests that are not checked.
fn first_page_fits<'data, R: ReadRef<'data>>(
    data: R,
    slice: u64,
    slice_size: u64,
    directory: &SignatureBlob<R>,
) -> Option<bool> {
    if directory.number(0)? != CODE_DIRECTORY {
        return None;
    }
    let (digests, pages, code_size) = (directory.number(16)?, directory.number(28)?, directory.number(32)?);
    let [digest_size, digest_kind, _, page_power] = directory.bytes(36, 4)? else { return None };
    if *digest_kind != SHA256 || *digest_size != 32 || pages == 0 || !PAGE_POWERS.contains(page_power) {
        return Some(true);
    }
    let digest = directory.bytes(digests.into(), 32)?;
    let page_size = u64::from(code_size).min(1 << page_power);
    if page_size > slice_size {
        return None;
    }
    let page = data.read_bytes_at(slice, page_size).ok()?;
    Some(Digest::of(page).as_bytes() == digest)
}
