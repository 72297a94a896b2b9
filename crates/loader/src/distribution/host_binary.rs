//! For which system a program is, by its first bytes.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use extension::Machine;

/// The system and processor of a program in the words of archive names, or `None` for a script and for what is not known.
pub(super) fn platform_of(path: &Path) -> io::Result<Option<(&'static str, &'static str)>> {
    let mut start = Vec::new();
    File::open(path)?.take(4096).read_to_end(&mut start)?;
    Ok(platform_of_bytes(&start))
}

fn platform_of_bytes(start: &[u8]) -> Option<(&'static str, &'static str)> {
    let u16_at = |at: usize| Some(u16::from_le_bytes(start.get(at..at + 2)?.try_into().ok()?));
    let u32_at = |at: usize| Some(u32::from_le_bytes(start.get(at..at + 4)?.try_into().ok()?));
    match start {
        [0x7F, b'E', b'L', b'F', ..] => Some((
            "linux",
            match u16_at(18)? {
                62 => "x86_64",
                183 => "aarch64",
                21 => "ppc64le",
                _ => "another processor",
            },
        )),
        [0xCF, 0xFA, 0xED, 0xFE, ..] => Some((
            "macos",
            match u32_at(4)? {
                0x0100_0007 => "x86_64",
                0x0100_000C => "aarch64",
                _ => "another processor",
            },
        )),
        // For several processors.
        [0xCA, 0xFE, 0xBA, 0xBE, ..] => Some(("macos", "")),
        [b'M', b'Z', ..] => {
            let header = usize::try_from(u32_at(0x3C)?).ok()?;
            let processor = match u16_at(header.checked_add(4)?) {
                Some(0x8664) => "x86_64",
                Some(0xAA64) => "aarch64",
                Some(_) => "another processor",
                None => "",
            };
            Some(("windows", processor))
        }
        _ => None,
    }
}

/// Whether the machine runs such a program. An empty processor is every one.
pub(super) fn fits(machine: &Machine, (os, processor): (&str, &str)) -> bool {
    machine.os == os && (processor.is_empty() || machine.processors.contains(&processor))
}

/// `linux-x86_64`.
pub(super) fn words(os: &str, processor: &str) -> String {
    if processor.is_empty() { os.to_owned() } else { format!("{os}-{processor}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_known_by_their_first_bytes() {
        let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
        elf.resize(64, 0);
        elf[18] = 183;
        let mut pe = b"MZ".to_vec();
        pe.resize(0x90, 0);
        (pe[0x3C], pe[0x84], pe[0x85]) = (0x80, 0x64, 0x86);
        type Platform = Option<(&'static str, &'static str)>;
        let cases: [(&[u8], Platform); 6] = [
            (&elf, Some(("linux", "aarch64"))),
            (b"\xcf\xfa\xed\xfe\x07\x00\x00\x01", Some(("macos", "x86_64"))),
            (b"\xca\xfe\xba\xbe", Some(("macos", ""))),
            (&pe, Some(("windows", "x86_64"))),
            (b"#!/bin/sh\n", None),
            (b"\x7fELF", None),
        ];
        for (bytes, expected) in cases {
            assert_eq!(platform_of_bytes(bytes), expected);
        }
    }
}
