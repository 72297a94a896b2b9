//! The seek table at an archive's end. A table that is believed accounts for every byte; one of ours is believed.
#![no_main]

use std::cell::RefCell;
use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};

use archive::{FrameSize, read_seek_table};
use libfuzzer_sys::fuzz_target;
use pydist_fuzz::with_seek_table;

thread_local! {
    static FILE: RefCell<File> = RefCell::new(tempfile::tempfile().expect("there is a folder for temporary files"));
}

fuzz_target!(|data: &[u8]| {
    if let Some(frames) = read(data) {
        let packed: u64 = frames.iter().map(|frame| u64::from(frame.packed)).sum();
        let table = data.len() as u64 - packed;
        let rows = frames.len() as u64;
        assert!(table == rows * 8 + 17 || table == rows * 12 + 17, "{rows} rows in {table} bytes");
    }
    // The same bytes as rows of a table that is right but for one thing, perhaps: what stands before it.
    let mut sizes: Vec<(u32, u32)> = data
        .chunks_exact(6)
        .map(|row| {
            (u32::from(u16::from_le_bytes([row[0], row[1]])), u32::from_le_bytes([row[2], row[3], row[4], row[5]]))
        })
        .collect();
    sizes.truncate(64);
    let before: usize = sizes.iter().map(|(packed, _)| *packed as usize).sum();
    if before <= 1 << 16 {
        let whole = with_seek_table(vec![0; before], &sizes);
        let expected: Vec<_> = sizes.iter().map(|&(packed, unpacked)| FrameSize { packed, unpacked }).collect();
        assert_eq!(read(&whole), Some(expected));
        assert_eq!(read(&[&[0], whole.as_slice()].concat()), None);
    }
});

fn read(bytes: &[u8]) -> Option<Vec<FrameSize>> {
    FILE.with_borrow_mut(|file| {
        file.set_len(0).and_then(|()| file.seek(SeekFrom::Start(0))).expect("the file can be emptied");
        file.write_all(bytes).expect("the file can be written");
        read_seek_table(file).expect("a file in memory can be read")
    })
}
