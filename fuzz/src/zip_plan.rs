//! Zips by plan: sizes, sums and offsets fit together unless a row or a patch says otherwise. Blind mutation hardly
//! ever gets past them.

use std::io::Write as _;

use arbitrary::Arbitrary;

#[derive(Arbitrary, Debug)]
pub struct ZipPlan {
    pub rows: Vec<ZipRow>,
    /// Wrong bytes at these places, counted from the end, where a zip's reader starts.
    pub patches: Vec<(u16, u8)>,
    pub comment: Vec<u8>,
}

#[derive(Arbitrary, Debug)]
pub struct ZipRow {
    pub name: String,
    pub content: Vec<u8>,
    pub deflated: bool,
    /// Sizes and sum stand behind the content, with a signature before them or without.
    pub descriptor: Option<bool>,
    pub kind: ZipKind,
    pub extra: Vec<u8>,
    /// The local header says another name.
    pub other_local_name: Option<String>,
    /// Bit by bit changes of the flags, in both headers.
    pub flags: u8,
    /// Added to the size that the headers say.
    pub lie: u8,
}

impl ZipRow {
    /// A sound one.
    pub fn new(name: &str, content: &[u8], kind: ZipKind) -> Self {
        Self {
            name: name.to_owned(),
            content: content.to_vec(),
            deflated: false,
            descriptor: None,
            kind,
            extra: Vec::new(),
            other_local_name: None,
            flags: 0,
            lie: 0,
        }
    }
}

#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum ZipKind {
    File,
    Program,
    Link,
    Folder,
    Other(u16),
    /// Made on a system without modes.
    Unknown,
}

impl ZipKind {
    fn mode(self) -> u16 {
        match self {
            Self::File => 0o100_644,
            Self::Program => 0o100_755,
            Self::Link => 0o120_777,
            Self::Folder => 0o040_755,
            Self::Other(mode) => mode,
            Self::Unknown => 0,
        }
    }

    fn made_by(self) -> u16 {
        if matches!(self, Self::Unknown) { 20 } else { 3 << 8 | 20 }
    }
}

impl ZipPlan {
    pub fn bytes(&self) -> Vec<u8> {
        let (mut zip, mut directory) = (Vec::new(), Vec::new());
        for row in self.rows.iter().take(64) {
            row.write(&mut zip, &mut directory);
        }
        let start = zip.len() as u32;
        let count = self.rows.len().min(64) as u16;
        zip.extend(&directory);
        zip.extend(b"PK\x05\x06\0\0\0\0");
        zip.extend(count.to_le_bytes());
        zip.extend(count.to_le_bytes());
        zip.extend((directory.len() as u32).to_le_bytes());
        zip.extend(start.to_le_bytes());
        let comment = &self.comment[..self.comment.len().min(64)];
        zip.extend((comment.len() as u16).to_le_bytes());
        zip.extend(comment);
        for (from_end, byte) in self.patches.iter().take(8) {
            let at = zip.len().checked_sub(usize::from(*from_end) + 1);
            if let Some(place) = at.and_then(|at| zip.get_mut(at)) {
                *place = *byte;
            }
        }
        zip
    }
}

impl ZipRow {
    fn write(&self, zip: &mut Vec<u8>, directory: &mut Vec<u8>) {
        let offset = zip.len() as u32;
        let (name, local_name) = (cut(&self.name), cut(self.other_local_name.as_ref().unwrap_or(&self.name)));
        let extra = &self.extra[..self.extra.len().min(64)];
        let packed = if self.deflated { deflated(&self.content) } else { self.content.clone() };
        let mut crc = flate2::Crc::new();
        crc.update(&self.content);
        let sums = [crc.sum(), packed.len() as u32, self.content.len() as u32 + u32::from(self.lie)];
        // Names in UTF-8, and where the sums are.
        let flags = 1 << 11 | u16::from(self.descriptor.is_some()) << 3 | u16::from(self.flags);
        let method: u16 = if self.deflated { 8 } else { 0 };

        zip.extend(b"PK\x03\x04\x14\0");
        zip.extend([flags.to_le_bytes(), method.to_le_bytes(), [0, 0], [0x21, 0]].concat());
        zip.extend(sums.iter().flat_map(|it| if self.descriptor.is_some() { [0; 4] } else { it.to_le_bytes() }));
        zip.extend((local_name.len() as u16).to_le_bytes());
        zip.extend((extra.len() as u16).to_le_bytes());
        zip.extend([local_name, extra, &packed].concat());
        if let Some(signed) = self.descriptor {
            zip.extend(if signed { &b"PK\x07\x08"[..] } else { &[] });
            zip.extend(sums.iter().flat_map(|it| it.to_le_bytes()));
        }

        directory.extend(b"PK\x01\x02");
        directory.extend(self.kind.made_by().to_le_bytes());
        directory.extend([20u16.to_le_bytes(), flags.to_le_bytes(), method.to_le_bytes(), [0, 0], [0x21, 0]].concat());
        directory.extend(sums.iter().flat_map(|it| it.to_le_bytes()));
        directory.extend((name.len() as u16).to_le_bytes());
        directory.extend((extra.len() as u16).to_le_bytes());
        directory.extend([0; 6]);
        directory.extend((u32::from(self.kind.mode()) << 16).to_le_bytes());
        directory.extend(offset.to_le_bytes());
        directory.extend([name, extra].concat());
    }
}

fn cut(name: &str) -> &[u8] {
    &name.as_bytes()[..name.len().min(300)]
}

fn deflated(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).and_then(|()| encoder.finish()).expect("memory can be written")
}
