//! CRC-64/NVME, which S3 adds up over the parts of an upload, and the MD5 that most servers give parts as their tag.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crc_fast::CrcAlgorithm;
use md5::{Digest as _, Md5};

pub(super) fn crc64(bytes: &[u8]) -> u64 {
    crc_fast::checksum(CrcAlgorithm::Crc64Nvme, bytes)
}

/// Checksum of two ranges, one after the other.
pub(super) fn joined(first: u64, second: u64, size_of_second: u64) -> u64 {
    crc_fast::checksum_combine(CrcAlgorithm::Crc64Nvme, first, second, size_of_second)
}

pub(super) fn crc64_text(sum: u64) -> String {
    STANDARD.encode(sum.to_be_bytes())
}

/// Compares what a server says about a part with the part's bytes. `None` if it says nothing comparable.
pub(super) fn agrees(bytes: &[u8], crc64_said: Option<&str>, tag: Option<&str>) -> Option<bool> {
    if let Some(said) = crc64_said {
        return Some(said == crc64_text(crc64(bytes)));
    }
    let tag = tag?.trim_matches('"').to_ascii_lowercase();
    let is_md5 = tag.len() == 32 && tag.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_md5.then(|| tag == md5_hex(bytes))
}

pub(super) fn md5_of(bytes: &[u8]) -> [u8; 16] {
    Md5::digest(bytes).into()
}

fn md5_hex(bytes: &[u8]) -> String {
    md5_of(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sums_are_the_published_ones() {
        // The check value of CRC-64/NVME in the catalogue of parametrised CRC algorithms; MD5's of RFC 1321.
        assert_eq!(crc64(b"123456789"), 0xae8b_1486_0a79_9888);
        assert_eq!(joined(crc64(b"1234"), crc64(b"56789"), 5), crc64(b"123456789"));
        assert_eq!(agrees(b"abc", None, Some("\"900150983CD24FB0d6963f7d28e17f72\"")), Some(true));
        assert_eq!(agrees(b"abd", None, Some("900150983cd24fb0d6963f7d28e17f72")), Some(false));
        assert_eq!(agrees(b"123456789", Some("rosUhgp5mIg="), None), Some(true));
        assert_eq!(agrees(b"abc", None, Some("no-md5")), None);
        assert_eq!(agrees(b"abc", None, None), None);
    }
}
