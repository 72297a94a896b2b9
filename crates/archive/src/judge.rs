//! The one place where entries of a foreign archive are judged, in their order. What passes may be written.

use std::collections::BTreeSet;
use std::ops::Range;

use vocab::TreePath;

use crate::destination_folder::DestinationFolder;
use crate::extract_error::ExtractErrorKind;
use crate::extract_options::{ExtractOptions, ExtractedTree, TopFolder};
use crate::name_rules::{EntryFault, checked_path};
use crate::tar_stream::{MemberKind, TarItem, TarMember, TarStream};
use crate::tree_record::{NodeKind, TreeRecord};
use crate::writes::{FileWrite, LateFile, WriteTarget};

/// Below this size no ratio is suspicious.
pub(crate) const RATIO_FLOOR: u64 = 10 << 20;
const LISTED: usize = 20;

pub(crate) struct TarJudge<'a> {
    tar: TarStream,
    tar_bytes: u64,
    tar_limit: u64,
    members: MemberJudge<'a>,
}

/// The members of any archive. Separate from the tar stream, which hands them out while it is itself borrowed.
pub(crate) struct MemberJudge<'a> {
    place: &'a DestinationFolder,
    options: &'a ExtractOptions<'a>,
    record: TreeRecord,
    /// The file whose content comes next; none while content is skipped.
    open: Option<OpenFile>,
    writes: Vec<FileWrite>,
    late: Vec<LateFile>,
    hard_links: Vec<(TreePath, TreePath)>,
    extracted: ExtractedTree,
    entries: u64,
    tops: BTreeSet<String>,
    /// The top is not as requested: what follows is only listed.
    listing: bool,
}

struct OpenFile {
    file: LateFile,
    size: u64,
    done: u64,
}

/// What remains to be done when all files are written.
pub(crate) struct JudgedMembers {
    pub record: TreeRecord,
    pub late: Vec<LateFile>,
    /// Name of the hard link, and of the file that it is another name of.
    pub hard_links: Vec<(TreePath, TreePath)>,
    pub extracted: ExtractedTree,
}

impl<'a> TarJudge<'a> {
    pub(crate) fn new(place: &'a DestinationFolder, archive_size: u64, options: &'a ExtractOptions<'a>) -> Self {
        let members = MemberJudge::new(place, options);
        let tar_limit = archive_size.saturating_mul(options.limits.ratio).max(RATIO_FLOOR);
        Self { tar: TarStream::new(), tar_bytes: 0, tar_limit, members }
    }

    /// Accepts the next bytes of tar. Directories exist when this returns, files when the result is written.
    pub(crate) fn chunk(&mut self, chunk: &[u8]) -> Result<Vec<FileWrite>, ExtractErrorKind> {
        self.tar_bytes += chunk.len() as u64;
        let members = &mut self.members;
        self.tar.feed(chunk, &mut |item| match item {
            TarItem::Member(member) => members.member(member),
            TarItem::Content(range) => members.content(range),
        })?;
        // What files declare is refused before it is written.
        if self.tar_bytes.max(members.extracted.bytes) > self.tar_limit {
            return Err(ExtractErrorKind::Limit { what: "bytes for an archive of its size", limit: self.tar_limit });
        }
        Ok(std::mem::take(&mut members.writes))
    }

    pub(crate) fn finish(self) -> Result<JudgedMembers, ExtractErrorKind> {
        self.tar.finish()?;
        self.members.finish()
    }
}

impl<'a> MemberJudge<'a> {
    pub(crate) fn new(place: &'a DestinationFolder, options: &'a ExtractOptions<'a>) -> Self {
        Self {
            place,
            options,
            record: TreeRecord::new(options.names),
            open: None,
            writes: Vec::new(),
            late: Vec::new(),
            hard_links: Vec::new(),
            extracted: ExtractedTree::default(),
            entries: 0,
            tops: BTreeSet::new(),
            listing: false,
        }
    }

    /// A member whose content arrives separately. If it is a file to be written, this says where.
    pub(crate) fn without_content(&mut self, member: TarMember) -> Result<Option<LateFile>, ExtractErrorKind> {
        self.member(member)?;
        let empty = self.writes.pop().and_then(FileWrite::into_file);
        Ok(empty.or_else(|| self.open.take().map(|open| open.file)))
    }

    pub(crate) fn finish(mut self) -> Result<JudgedMembers, ExtractErrorKind> {
        if self.options.top_folder == TopFolder::StripSingle {
            if self.listing || self.tops.len() != 1 {
                let mut found: Vec<_> = self.tops.into_iter().collect();
                if found.len() > LISTED {
                    found.truncate(LISTED);
                    found.push("…".to_owned());
                }
                return Err(ExtractErrorKind::TopFolder { found });
            }
            self.extracted.top_folder = self.tops.pop_first();
        }
        let Self { record, late, hard_links, extracted, .. } = self;
        Ok(JudgedMembers { record, late, hard_links, extracted })
    }

    fn member(&mut self, member: TarMember) -> Result<(), ExtractErrorKind> {
        self.open = None;
        self.entries += 1;
        if self.entries > self.options.limits.entries {
            return Err(ExtractErrorKind::Limit { what: "entries", limit: self.options.limits.entries });
        }
        let name = String::from_utf8_lossy(&member.name).into_owned();
        self.judge(member).map_err(|fault| match fault {
            MemberRefusal::Entry(fault) => ExtractErrorKind::Entry { entry: name, fault },
            MemberRefusal::Other(kind) => kind,
        })
    }

    fn judge(&mut self, member: TarMember) -> Result<(), MemberRefusal> {
        let path = checked_path(&member.name, self.options.names)?;
        if let MemberKind::Special(kind) = member.kind {
            return Err(EntryFault::Special { kind }.into());
        }
        let is_directory = member.kind == MemberKind::Directory;
        let path = self.stripped(path, is_directory)?;
        if self.listing {
            return Ok(());
        }
        if path.is_root() {
            // The tree itself is a directory, whatever the archive says.
            return if is_directory { Ok(()) } else { Err(EntryFault::Unnamed.into()) };
        }
        match member.kind {
            MemberKind::Directory => {
                self.add(&path, NodeKind::Directory)?;
                self.place.remember_time(&path, member.mtime);
            }
            MemberKind::File => self.file(path, member.executable, member.mtime, member.size)?,
            MemberKind::Symlink(target) => {
                let target = String::from_utf8(target).map_err(|_| EntryFault::NotUtf8)?;
                let (made, extracted) = (&mut MadeFolders::new(self.place), &mut self.extracted);
                self.record.add_link(&path, target, &mut |folder| made.directory(folder))?;
                extracted.directories += made.count;
                extracted.links += 1;
                made.finish()?;
            }
            MemberKind::HardLink(target) => self.hard_link(path, &target)?,
            MemberKind::Special(_) => {}
        }
        Ok(())
    }

    /// `path` without its first component, if that is to be stripped.
    fn stripped(&mut self, path: TreePath, is_directory: bool) -> Result<TreePath, EntryFault> {
        if self.options.top_folder == TopFolder::Keep || path.is_root() {
            return Ok(path);
        }
        let (top, below) = path.as_str().split_once('/').unwrap_or((path.as_str(), ""));
        if self.tops.len() <= LISTED {
            self.tops.insert(top.to_owned());
        }
        self.listing |= self.tops.len() > 1 || (below.is_empty() && !is_directory);
        // Without its first component, a name may begin with a drive.
        below.parse().map_err(|_| EntryFault::Drive)
    }

    fn add(&mut self, path: &TreePath, kind: NodeKind) -> Result<(), MemberRefusal> {
        let mut made = MadeFolders::new(self.place);
        self.record.add(path, kind, &mut |folder| made.directory(folder))?;
        self.extracted.directories += made.count;
        made.finish()?;
        Ok(())
    }

    fn file(&mut self, path: TreePath, executable: bool, mtime: u64, size: u64) -> Result<(), MemberRefusal> {
        self.add(&path, NodeKind::File)?;
        self.extracted.files += 1;
        self.extracted.bytes = self.extracted.bytes.saturating_add(size);
        let limit = self.options.limits.bytes;
        if self.extracted.bytes > limit {
            return Err(MemberRefusal::Other(ExtractErrorKind::Limit { what: "bytes", limit }));
        }
        let file = LateFile { path, executable, mtime };
        if size == 0 {
            self.writes.push(FileWrite::whole(file, 0..0));
        } else {
            self.open = Some(OpenFile { file, size, done: 0 });
        }
        Ok(())
    }

    fn hard_link(&mut self, path: TreePath, target: &[u8]) -> Result<(), MemberRefusal> {
        let refuse = || EntryFault::HardLink { target: String::from_utf8_lossy(target).into_owned() };
        let mut file = checked_path(target, self.options.names).map_err(|_| refuse())?;
        if self.options.top_folder == TopFolder::StripSingle {
            let (top, below) = file.as_str().split_once('/').ok_or_else(refuse)?;
            file = if self.tops.contains(top) {
                below.parse().map_err(|_| refuse())?
            } else {
                return Err(refuse().into());
            };
        }
        if self.record.kind_of(&file) != Some(NodeKind::File) {
            return Err(refuse().into());
        }
        self.add(&path, NodeKind::File)?;
        self.extracted.files += 1;
        self.hard_links.push((path, file));
        Ok(())
    }

    fn content(&mut self, range: Range<usize>) -> Result<(), ExtractErrorKind> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let (offset, length) = (open.done, range.len() as u64);
        open.done += length;
        if length == open.size {
            self.writes.extend(self.open.take().map(|open| FileWrite::whole(open.file, range)));
            return Ok(());
        }
        let path = open.file.path.clone();
        if offset == 0 {
            // Created here, in order, so that writers of the other pieces find it.
            self.place.create(&path)?;
        }
        if open.done == open.size {
            self.late.extend(self.open.take().map(|open| open.file));
        }
        self.writes.push(FileWrite { path, range, target: WriteTarget::Piece { offset } });
        Ok(())
    }
}

/// Creates directories on the way; the first failure is kept until it can be reported.
struct MadeFolders<'a> {
    place: &'a DestinationFolder,
    count: u64,
    result: Result<(), ExtractErrorKind>,
}

impl<'a> MadeFolders<'a> {
    fn new(place: &'a DestinationFolder) -> Self {
        Self { place, count: 0, result: Ok(()) }
    }

    fn directory(&mut self, folder: &str) {
        self.count += 1;
        if self.result.is_ok() {
            self.result = self.place.directory(folder);
        }
    }

    fn finish(&mut self) -> Result<(), MemberRefusal> {
        std::mem::replace(&mut self.result, Ok(())).map_err(MemberRefusal::Other)
    }
}

enum MemberRefusal {
    Entry(EntryFault),
    Other(ExtractErrorKind),
}

impl From<EntryFault> for MemberRefusal {
    fn from(fault: EntryFault) -> Self {
        Self::Entry(fault)
    }
}
