//! Memory does not grow with what is packed. A program of its own with one test: the system counts the peak of a whole
//! process, to which any other test would add.

use std::fs::{self, File};

use archive::{ExtractOptions, FileContent, NoCache, PackOptions, PartSource, TreeEntry, extract, pack};
use vocab::ArtifactFormat;

/// Bytes that do not compress.
fn noise(size: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(size).collect()
}

/// The most memory that this process has held so far, in bytes.
fn peak_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let row = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    row.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kilobytes| kilobytes << 10)
}

#[test]
fn a_file_of_600_megabytes_needs_memory_for_a_few_frames() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large");
    // A file with a hole takes no disk. It would look like a bomb, so one part in a hundred is noise.
    let mut large = File::create(&path).unwrap();
    large.set_len(600 << 20).unwrap();
    std::io::Write::write_all(&mut large, &noise(6 << 20)).unwrap();
    let part =
        PartSource::new("large", vec![TreeEntry::file("large".parse().unwrap(), FileContent::Disk(path), false)]);
    let parts = [part];
    for format in [ArtifactFormat::TarZst, ArtifactFormat::Zip] {
        let options = PackOptions { format, level: 1, threads: 2, ..PackOptions::default() };
        let target = folder.path().join("archive");
        let packed = pack(&target, &parts, &options, &NoCache).unwrap();
        assert!(packed.parts[0].uncompressed_size >= 600 << 20);
        let place = folder.path().join(format.extension());
        extract(&target, &place, &ExtractOptions { threads: 2, ..ExtractOptions::default() }).unwrap();
        assert_eq!(fs::metadata(place.join("large")).unwrap().len(), 600 << 20);
        fs::remove_dir_all(&place).unwrap();
    }
    if let Some(peak) = peak_memory() {
        assert!(peak < 200 << 20, "{} MB", peak >> 20);
    }
}
