//! PEL 37: archives that are made to fill a disk, as large as the case says. They are written here, front to back.
#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Command;

use flate2::{Compress, Compression, Crc, FlushCompress, GzBuilder};

use crate::Site;

const ENTRIES: u64 = 600_000;
const ZEROS: u64 = 10 << 30;
/// Zeros are packed once for so many, and then repeated.
const PIECE: u64 = 16 << 20;

/// Runs a program that may write no file of more than 64 MiB; the last line is the most memory it had, in KiB.
const LIMITED: &str = "
import resource, subprocess, sys
limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (64 << 20, 64 << 20))
code = subprocess.run(sys.argv[1:], preexec_fn=limit).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
";

/// `pydist extension …` refuses with these words, in at most `most` MiB of memory, and leaves nothing.
fn assert_refused(site: &Site, words: &[&str], expected: &[&str], most: u64) {
    let path = |below: &str| site.0.path().join(below);
    let mut command = Command::new("python3");
    command.args(["-c", LIMITED, env!("CARGO_BIN_EXE_pydist"), "extension"]).args(words).env("COLUMNS", "400");
    for (key, folder) in [("DIST_LOC", "dists"), ("RESOURCE_LOC", "res"), ("EXT_LOC", "ext")] {
        command.env(format!("PYSDK_PEL_{key}"), path(folder));
    }
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{said}");
    for word in expected {
        assert!(said.contains(word), "no {word:?} in {said}");
    }
    let memory = String::from_utf8(output.stdout).unwrap();
    let memory = memory.trim().parse::<u64>().unwrap() >> 10;
    assert!(memory < most, "{memory} MiB of memory");
    let left: Vec<_> = fs::read_dir(path("dists")).unwrap().map(|item| item.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| name == ".locks"), "{left:?}");
}

fn tar_header(name: &str, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_path(name).unwrap();
    header.set_size(size);
    header.set_mode(0o755);
    header.set_cksum();
    header
}

fn entry_name(number: u64) -> String {
    format!("lib/{:03}/{number}", number / 1000)
}

fn write_zip_of_entries(path: &Path) {
    let mut zip = zip::ZipWriter::new(BufWriter::new(File::create(path).unwrap()));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for number in 0..ENTRIES {
        zip.start_file(entry_name(number), stored).unwrap();
    }
    zip.finish().unwrap().flush().unwrap();
}

/// Half a million files are written and removed: some seconds in memory, minutes on a disk. This variable asks for that.
const MANY_ENTRIES: &str = "PYDIST_TESTS_MANY_ENTRIES";

#[test]
fn pel_37_of_600_000_entries_in_a_tar_no_more_than_the_limit_are_written() {
    if std::env::var_os(MANY_ENTRIES).is_none() {
        return;
    }
    let site = Site::new();
    let file = BufWriter::new(File::create(site.0.path().join("res/pydist-k-1-linux.tar.gz")).unwrap());
    let mut gzip = GzBuilder::new().write(file, Compression::fast());
    for number in 0..ENTRIES {
        gzip.write_all(tar_header(&entry_name(number), 0).as_bytes()).unwrap();
    }
    gzip.write_all(&[0; 1024]).unwrap();
    gzip.finish().unwrap().flush().unwrap();
    assert_refused(&site, &["prepare", "k:1"], &["E_ARCHIVE_LIMIT", "more than 500000 entries"], 512);
}

#[test]
fn pel_37_a_zip_of_600_000_entries_is_refused_before_any_is_written() {
    let site = Site::new();
    let distribution = site.0.path().join("res/pydist-k-1-linux.zip");
    write_zip_of_entries(&distribution);
    assert_refused(&site, &["prepare", "k:1"], &["E_ARCHIVE_LIMIT", "more than 500000 entries"], 64);
    // As an extension it is refused, too.
    assert_refused(
        &site,
        &["inspect", distribution.to_str().unwrap()],
        &["E_ARCHIVE_LIMIT", "more than 500000 entries"],
        64,
    );
}

#[test]
fn pel_37_ten_gibibytes_of_zeros_are_refused_before_they_are_written() {
    let site = Site::new();
    let too_many = ["E_ARCHIVE_LIMIT", "bytes for an archive of its size"];
    let member = |bytes: &[u8]| {
        let mut gzip = GzBuilder::new().write(Vec::new(), Compression::best());
        gzip.write_all(bytes).unwrap();
        gzip.finish().unwrap()
    };
    let mut file = BufWriter::new(File::create(site.0.path().join("res/pydist-k-1-linux.tar.gz")).unwrap());
    file.write_all(&member(tar_header("lib/zeros", ZEROS).as_bytes())).unwrap();
    let piece = member(&vec![0; PIECE as usize]);
    for _ in 0..ZEROS / PIECE {
        file.write_all(&piece).unwrap();
    }
    file.write_all(&member(&[0; 1024])).unwrap();
    file.flush().unwrap();
    assert_refused(&site, &["prepare", "k:1"], &too_many, 64);

    fs::write(site.0.path().join("res/pydist-k-2-linux.zip"), zip_of_zeros()).unwrap();
    assert_refused(&site, &["prepare", "k:2"], &["E_ARCHIVE_LIMIT", "as it is packed"], 64);
}

/// One deflated file of [`ZEROS`] bytes, whose sizes take 64 bits.
fn zip_of_zeros() -> Vec<u8> {
    let zeros = vec![0; PIECE as usize];
    let mut piece = Vec::with_capacity(1 << 20);
    // Ends between two bytes, and what follows does not look back.
    Compress::new(Compression::best(), false).compress_vec(&zeros, &mut piece, FlushCompress::Full).unwrap();
    let (mut packed, mut sum, mut piece_sum) = (Vec::new(), Crc::new(), Crc::new());
    piece_sum.update(&zeros);
    for _ in 0..ZEROS / PIECE {
        packed.extend(&piece);
        sum.combine(&piece_sum);
    }
    // An empty last block.
    packed.extend([3, 0]);
    let name = b"lib/zeros";
    let sizes: Vec<u8> = [&[1, 0, 16, 0][..], &ZEROS.to_le_bytes(), &(packed.len() as u64).to_le_bytes()].concat();
    // What both headers say: version, flags, method, time, sum, sizes that stand elsewhere, lengths.
    let mut common = vec![45, 0, 0, 0, 8, 0, 0, 0, 0x21, 0];
    common.extend(sum.sum().to_le_bytes());
    common.extend([0xFF; 8]);
    common.extend([name.len() as u8, 0, sizes.len() as u8, 0]);
    let mut zip = [b"PK\x03\x04", common.as_slice(), name, &sizes, &packed].concat();
    let start = zip.len();
    // Made on a system with modes; no comment, the first disk, no attributes of the content, a file, at the beginning.
    zip.extend([b"PK\x01\x02\x2d\x03", common.as_slice(), &[0; 6]].concat());
    zip.extend((0o100_644_u32 << 16).to_le_bytes());
    zip.extend([&[0; 4], &name[..], &sizes].concat());
    let length = zip.len() - start;
    zip.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    zip.extend([length as u32, start as u32].iter().flat_map(|it| it.to_le_bytes()));
    zip.extend([0; 2]);
    zip
}
