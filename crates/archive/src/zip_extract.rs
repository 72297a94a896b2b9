//! Zip → staging folder. First all entries are judged by the central directory, in its order; then, in parallel, each
//! is compared with its local header, decompressed and written.

use std::fs::File;
use std::io;

use vocab::side_by_side;

use crate::destination_folder::DestinationFolder;
use crate::extract_error::ExtractErrorKind;
use crate::extract_options::{ExtractOptions, ExtractedTree};
use crate::finish_stage::finish_stage;
use crate::judge::{MemberJudge, RATIO_FLOOR};
use crate::name_rules::EntryFault;
use crate::source::read_exact_at;
use crate::tar_stream::{MemberKind, TarMember};
use crate::turnstile::thread_count;
use crate::writes::{FileWrite, LateFile, WriteTarget};
use crate::zip_directory::{DirectoryError, ZipDirectory, ZipEntry};
use crate::zip_local::check_local;
use crate::zip_member::{MemberError, MemberReader, MemberUnpacker, ZipMember};

/// Entries up to this size, header and all, are read in one call and unpacked in another; longer ones piece by piece.
const PIECE: u64 = 4 << 20;
/// No system accepts longer targets.
const MAX_TARGET: u64 = 4096;

/// `file` has `size` bytes.
pub(crate) fn stage_zip(
    file: &File,
    size: u64,
    place: &DestinationFolder,
    options: &ExtractOptions<'_>,
) -> Result<ExtractedTree, ExtractErrorKind> {
    let zip = OpenZip::open(file, size, options)?;
    let (mut judged, mut jobs, mut late) = (MemberJudge::new(place, options), Vec::new(), Vec::new());
    for index in 0..zip.directory.entries.len() {
        let member = zip.member(index, options)?;
        let file = judged.without_content(member)?;
        jobs.push(ZipExtractJob { index, file });
    }
    let mut judged = judged.finish()?;

    // Long files first, so that no thread is left with one at the end; the others in the order of the zip.
    jobs.sort_by_key(|job| {
        let entry = zip.entry(job.index);
        if zip.is_long(job.index) { (0, u64::MAX - entry.size) } else { (1, entry.offset) }
    });
    for job in jobs.iter().filter(|job| zip.is_long(job.index)) {
        late.extend(job.file.clone());
    }
    side_by_side(
        thread_count(options.threads),
        jobs.len(),
        ZipExtractTools::default,
        |tools, job| -> Result<(), ExtractErrorKind> {
            let ZipExtractJob { index, file } = &jobs[job];
            zip.extract(*index, file.as_ref(), place, tools)?;
            (options.progress)(zip.entry(*index).packed);
            Ok(())
        },
    )?;
    judged.late = late;
    finish_stage(place, judged, options)
}

/// All entries as the zip states them, for listing.
pub(crate) fn members_of_zip(
    file: &File,
    size: u64,
    options: &ExtractOptions<'_>,
) -> Result<Vec<TarMember>, ExtractErrorKind> {
    let zip = OpenZip::open(file, size, options)?;
    (0..zip.directory.entries.len()).map(|index| zip.member(index, options)).collect()
}

struct ZipExtractJob {
    index: usize,
    /// Absent for what has no content, or is not wanted.
    file: Option<LateFile>,
}

struct OpenZip<'a> {
    file: &'a File,
    directory: ZipDirectory,
    /// Where each entry must end at the latest.
    ends: Vec<u64>,
}

/// What one thread keeps from entry to entry.
#[derive(Default)]
struct ZipExtractTools {
    extent: Vec<u8>,
    plain: Vec<u8>,
    unpacker: Option<MemberUnpacker>,
}

impl<'a> OpenZip<'a> {
    fn open(file: &'a File, size: u64, options: &ExtractOptions<'_>) -> Result<Self, ExtractErrorKind> {
        let limit = options.limits.entries;
        let directory = ZipDirectory::read(file, size, limit).map_err(|error| match error {
            DirectoryError::Read(source) => ExtractErrorKind::of_read(source),
            DirectoryError::Fault(fault) => fault.into(),
            DirectoryError::Entry { name, fault } => ExtractErrorKind::Member { entry: name, fault },
            DirectoryError::TooMany => ExtractErrorKind::Limit { what: "entries", limit },
        })?;
        Ok(Self { file, ends: directory.ends(), directory })
    }

    fn entry(&self, index: usize) -> &ZipEntry {
        &self.directory.entries[index]
    }

    fn refuse(&self, index: usize, fault: EntryFault) -> ExtractErrorKind {
        ExtractErrorKind::Entry { entry: self.directory.shown_name(self.entry(index)), fault }
    }

    fn fail(&self, index: usize, error: MemberError) -> ExtractErrorKind {
        match error {
            MemberError::Read(source) => ExtractErrorKind::of_read(source),
            MemberError::Fault(fault) => {
                ExtractErrorKind::Member { entry: self.directory.shown_name(self.entry(index)), fault }
            }
        }
    }

    fn is_long(&self, index: usize) -> bool {
        let entry = self.entry(index);
        entry.size > PIECE || self.ends[index].saturating_sub(entry.offset) > PIECE
    }

    /// The entry as its judge expects it. Reads only the targets of links.
    fn member(&self, index: usize, options: &ExtractOptions<'_>) -> Result<TarMember, ExtractErrorKind> {
        let entry = self.entry(index);
        let limit = entry.packed.saturating_mul(options.limits.ratio);
        if entry.size > RATIO_FLOOR && entry.size > limit {
            return Err(ExtractErrorKind::Limit { what: "bytes for one of its files as it is packed", limit });
        }
        let name = self.directory.unix_name(entry);
        let kind = match kind_of(entry, &name).map_err(|fault| self.refuse(index, fault))? {
            MemberKind::Symlink(_) => MemberKind::Symlink(self.target(index)?),
            kind => kind,
        };
        let executable = entry.mode & 0o100 != 0;
        Ok(TarMember { name: name.into_owned(), kind, executable, mtime: entry.mtime, size: entry.size })
    }

    fn target(&self, index: usize) -> Result<Vec<u8>, ExtractErrorKind> {
        let entry = self.entry(index);
        if entry.size > MAX_TARGET {
            return Err(self.refuse(index, EntryFault::LinkOut { target: format!("{} bytes", entry.size) }));
        }
        let mut target = vec![0; entry.size as usize];
        let member = self.locate(index, &mut |offset, out| read_exact_at(self.file, out, offset))?;
        MemberReader::new(member).fill(self.file, &mut target).map_err(|error| self.fail(index, error))?;
        Ok(target)
    }

    fn locate(
        &self,
        index: usize,
        read_at: &mut dyn FnMut(u64, &mut [u8]) -> io::Result<()>,
    ) -> Result<ZipMember, ExtractErrorKind> {
        let entry = self.entry(index);
        check_local(entry, self.directory.name(entry), self.ends[index], read_at)
            .map_err(|error| self.fail(index, error))
    }

    fn extract(
        &self,
        index: usize,
        file: Option<&LateFile>,
        place: &DestinationFolder,
        tools: &mut ZipExtractTools,
    ) -> Result<(), ExtractErrorKind> {
        if self.is_long(index) {
            return self.extract_long(index, file, place, tools);
        }
        let (start, end) = (self.entry(index).offset, self.ends[index]);
        tools.extent.resize(end.saturating_sub(start) as usize, 0);
        read_exact_at(self.file, &mut tools.extent, start).map_err(ExtractErrorKind::of_read)?;
        let extent = &tools.extent;
        // Nothing is read beyond the start and the end of the entry.
        let member = self.locate(index, &mut |offset, out| {
            let at = (offset - start) as usize;
            out.copy_from_slice(&extent[at..at + out.len()]);
            Ok(())
        })?;
        let packed = &extent[(member.offset - start) as usize..][..member.packed as usize];
        tools.plain.resize(member.size as usize, 0);
        let unpacker = match &mut tools.unpacker {
            Some(unpacker) => {
                unpacker.restart(member);
                unpacker
            }
            None => tools.unpacker.insert(MemberUnpacker::new(member)),
        };
        unpacker.whole(packed, &mut tools.plain).map_err(|fault| self.fail(index, fault.into()))?;
        match file {
            Some(file) => place.write(&FileWrite::whole(file.clone(), 0..tools.plain.len()), &tools.plain),
            None => Ok(()),
        }
    }

    fn extract_long(
        &self,
        index: usize,
        file: Option<&LateFile>,
        place: &DestinationFolder,
        tools: &mut ZipExtractTools,
    ) -> Result<(), ExtractErrorKind> {
        let member = self.locate(index, &mut |offset, out| read_exact_at(self.file, out, offset))?;
        if let Some(file) = file {
            place.create(&file.path)?;
        }
        let mut reader = MemberReader::new(member);
        let mut offset = 0;
        loop {
            let length = PIECE.min(member.size - offset) as usize;
            tools.plain.resize(length, 0);
            reader.fill(self.file, &mut tools.plain).map_err(|error| self.fail(index, error))?;
            if let Some(file) = file {
                let target = WriteTarget::Piece { offset };
                place.write(&FileWrite { path: file.path.clone(), range: 0..length, target }, &tools.plain)?;
            }
            offset += length as u64;
            if offset == member.size {
                return Ok(());
            }
        }
    }
}

/// By the mode, if stated, and by the name, which must agree. A link's target is not known yet.
fn kind_of(entry: &ZipEntry, name: &[u8]) -> Result<MemberKind, EntryFault> {
    const KIND: u32 = 0o170_000;
    let special = |kind| Err(EntryFault::Special { kind });
    let is_folder = name.ends_with(b"/");
    match (entry.mode & KIND, is_folder) {
        // Some writers give folders the mode of a file, or none.
        (0 | 0o040_000 | 0o100_000, true) if entry.size > 0 => special("directory that has content"),
        (0 | 0o040_000 | 0o100_000, true) => Ok(MemberKind::Directory),
        (0 | 0o100_000, false) => Ok(MemberKind::File),
        (0o040_000, false) => special("directory by its mode and a file by its name"),
        (0o120_000, false) => Ok(MemberKind::Symlink(Vec::new())),
        (0o010_000, _) => special("named pipe"),
        (0o020_000, _) => special("character device"),
        (0o060_000, _) => special("block device"),
        (0o140_000, _) => special("socket"),
        (_, true) => special("directory by its name and something else by its mode"),
        _ => special("entry of a kind that is not known"),
    }
}
