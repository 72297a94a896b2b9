//! Carries out a plan: pieces that are here are copied and digested, the others are requested by range and digested as
//! they arrive.

use std::convert::Infallible;
use std::fs::File;
use std::io::{self, Read, Write as _};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use vocab::{Artifact, Digest, DigestWriter, Event, TransferId, side_by_side};
use web::WebFailure;

use super::answer::RangeAnswer;
use super::older::OlderArtifacts;
use super::origin::{ArtifactOrigin, repeat};
use super::server::ServerSetback;
use super::{FetchErrorKind, FetchSettings, FetchWatch};
use crate::FETCH_GAP;
use crate::{DeltaPlan, FetchRange, PieceOrigin, PlanPiece};
use archive::VerifyErrorKind;
use archive::pieces::read_exact_at;
use archive::pieces::thread_count;

const BUFFER: usize = 256 << 10;
/// There is only one transfer at a time.
const TRANSFER: TransferId = TransferId(0);

pub(super) struct Filler<'a> {
    pub settings: &'a FetchSettings,
    pub origin: &'a ArtifactOrigin,
    pub older: &'a OlderArtifacts,
    pub watch: FetchWatch<'a>,
    pub artifact: &'a Artifact,
    /// The content of the plan is written to it.
    pub file: &'a File,
    /// Whether the file has what an interrupted fetch of the same plan received; otherwise it is empty.
    pub begun: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct FillOutcome {
    /// Number of parts that were here.
    pub reused: usize,
    /// Bytes that an interrupted fetch had received.
    pub resumed: u64,
    pub fetched: u64,
    pub requests: u32,
    pub whole: bool,
}

/// Why a range did not arrive.
enum RangeHalt {
    /// The server has no ranges; the whole must be requested.
    NoRange(&'static str),
    Fault(FetchErrorKind),
}

impl<E: Into<FetchErrorKind>> From<E> for RangeHalt {
    fn from(kind: E) -> Self {
        Self::Fault(kind.into())
    }
}

impl Filler<'_> {
    pub(super) fn fill(&self, plan: &DeltaPlan) -> Result<FillOutcome, FetchErrorKind> {
        self.file.set_len(plan.size).map_err(|source| self.write_fault(source))?;
        let mut plan = plan.clone();
        let resumed = if self.begun { self.take_up(&mut plan)? } else { 0 };
        let reused = self.copy(&mut plan)?;
        let ranges = plan.ranges(FETCH_GAP);
        let mut filled = FillOutcome { reused, resumed, ..FillOutcome::default() };
        if ranges.is_empty() {
            return Ok(filled);
        }
        let total: u64 = ranges.iter().map(FetchRange::size).sum();
        let tell = self.watch.tell;
        tell(Event::TransferStarted { id: TRANSFER, name: self.artifact.file.clone(), total: Some(total), already: 0 });
        let line = PlanRequests::new(self, &plan);
        let outcome = line.fetch(&ranges);
        tell(Event::TransferFinished { id: TRANSFER });
        filled.whole = outcome?;
        filled.fetched = line.received.into_inner();
        filled.requests = line.requests.into_inner();
        Ok(filled)
    }

    /// Finds the parts that are at their place already. Returns their bytes.
    fn take_up(&self, plan: &mut DeltaPlan) -> Result<u64, FetchErrorKind> {
        let stands =
            side_by_side(thread_count(0), plan.pieces.len(), || (), |(), index| self.stands(&plan.pieces[index]))?;
        let mut bytes = 0;
        for (piece, stands) in plan.pieces.iter_mut().zip(stands) {
            if stands {
                piece.from = PieceOrigin::Kept;
                bytes += piece.size;
            }
        }
        Ok(bytes)
    }

    fn stands(&self, piece: &PlanPiece) -> Result<bool, FetchErrorKind> {
        let Some(expected) = piece.sha256 else { return Ok(false) };
        Ok(self.blocks(self.file, piece.at, piece.size, |_, _| Ok(()))? == Some(expected))
    }

    /// The digest of `size` bytes of `file` from `start` on; `take` receives each block, and the number of bytes before
    /// it. `None` if they cannot be read, or end early.
    fn blocks(
        &self,
        file: &File,
        start: u64,
        size: u64,
        take: impl Fn(&[u8], u64) -> io::Result<()>,
    ) -> Result<Option<Digest>, FetchErrorKind> {
        let mut digest = DigestWriter::new(io::sink());
        let mut buffer = vec![0; BUFFER];
        let mut done = 0;
        while done < size {
            self.watch.check()?;
            let length = buffer.len().min(usize::try_from(size - done).unwrap_or(usize::MAX));
            let bytes = &mut buffer[..length];
            if read_exact_at(file, bytes, start + done).is_err() {
                return Ok(None);
            }
            let taken = digest.write_all(bytes).and_then(|()| take(bytes, done));
            taken.map_err(|source| self.write_fault(source))?;
            done += length as u64;
        }
        Ok(Some(digest.finish().1))
    }

    /// Copies what is here. A piece that turns out to be different is fetched instead.
    fn copy(&self, plan: &mut DeltaPlan) -> Result<usize, FetchErrorKind> {
        let copied =
            side_by_side(thread_count(0), plan.pieces.len(), || (), |(), index| self.copy_piece(&plan.pieces[index]))?;
        let mut reused = 0;
        for (piece, copied) in plan.pieces.iter_mut().zip(copied) {
            match copied {
                CopyOutcome::NotHere => {}
                CopyOutcome::Sound => reused += usize::from(piece.sha256.is_some()),
                CopyOutcome::Damaged { path } => {
                    piece.from = PieceOrigin::Remote;
                    let text = format!("the part `{}` of `{path}` is damaged and is fetched", piece.content);
                    self.watch.note(text);
                }
            }
        }
        Ok(reused)
    }

    fn copy_piece(&self, piece: &PlanPiece) -> Result<CopyOutcome, FetchErrorKind> {
        let PieceOrigin::Local { source, offset } = piece.from else { return Ok(CopyOutcome::NotHere) };
        let Some(older) = self.older.file(source) else { return Ok(CopyOutcome::NotHere) };
        // An older artifact that has become shorter counts as damaged, too.
        let copy = |bytes: &[u8], done| write_all_at(self.file, bytes, piece.at + done);
        let digest = self.blocks(&older.file, offset, piece.size, copy)?;
        let sound = digest.is_some_and(|actual| piece.sha256.is_none_or(|expected| expected == actual));
        Ok(if sound { CopyOutcome::Sound } else { CopyOutcome::Damaged { path: older.path.display().to_string() } })
    }

    fn write_fault(&self, source: io::Error) -> FetchErrorKind {
        FetchErrorKind::Write { path: self.artifact.file.clone().into(), source }
    }
}

enum CopyOutcome {
    NotHere,
    Sound,
    Damaged { path: String },
}

/// The requests for one plan.
struct PlanRequests<'a> {
    filler: &'a Filler<'a>,
    plan: &'a DeltaPlan,
    /// Entity tag of the file that the first answer was about.
    tag: Mutex<Option<String>>,
    received: AtomicU64,
    requests: AtomicU32,
    /// Whether one of several requests has failed.
    stopped: AtomicBool,
}

impl<'a> PlanRequests<'a> {
    fn new(filler: &'a Filler<'a>, plan: &'a DeltaPlan) -> Self {
        Self {
            filler,
            plan,
            tag: Mutex::default(),
            received: AtomicU64::new(0),
            requests: AtomicU32::new(0),
            stopped: AtomicBool::new(false),
        }
    }

    /// True if everything had to be sent.
    fn fetch(&self, ranges: &[FetchRange]) -> Result<bool, FetchErrorKind> {
        // The smallest goes first and alone: its answer shows whether the server has ranges, and which file they are
        // of.
        let mut order: Vec<&FetchRange> = ranges.iter().collect();
        order.sort_by_key(|range| range.size());
        let Some((first, others)) = order.split_first() else { return Ok(false) };
        let all = match self.range(first) {
            Ok(false) => self.others(others).map(|()| false),
            result => result,
        };
        match all {
            Ok(whole) => Ok(whole),
            Err(RangeHalt::Fault(kind)) => Err(kind),
            Err(RangeHalt::NoRange(why)) => {
                self.stopped.store(false, Ordering::Relaxed);
                self.tell_whole(why);
                self.whole(None)?;
                Ok(true)
            }
        }
    }

    /// Several at once. The first error stops the others.
    fn others(&self, ranges: &[&FetchRange]) -> Result<(), RangeHalt> {
        // The largest first, so that no large one remains alone at the end.
        let count = ranges.len();
        let fetch = |(): &mut (), index: usize| -> Result<_, Infallible> {
            let result = self.range(ranges[count - 1 - index]);
            self.stopped.fetch_or(result.is_err(), Ordering::Relaxed);
            Ok(result)
        };
        let Ok(results) = side_by_side(self.filler.settings.at_once, count, || (), fetch);
        let mut stopped = None;
        for result in results {
            match result {
                Ok(_) => {}
                // Reports the error that stopped the others, not one of those that were stopped.
                Err(halt @ RangeHalt::Fault(FetchErrorKind::Cancelled)) => stopped = stopped.or(Some(halt)),
                Err(halt) => return Err(halt),
            }
        }
        stopped.map_or(Ok(()), Err)
    }

    fn tell_start(&self, total: u64) {
        let name = self.filler.artifact.file.clone();
        (self.filler.watch.tell)(Event::TransferStarted { id: TRANSFER, name, total: Some(total), already: 0 });
    }

    /// Reports one transfer in place of that of the ranges.
    fn tell_whole(&self, why: &str) {
        let Filler { watch, artifact, .. } = self.filler;
        watch.note(format!("{why}: the whole artifact is fetched"));
        (watch.tell)(Event::TransferFinished { id: TRANSFER });
        self.tell_start(artifact.size);
    }

    /// True if the server sent everything, and everything was used.
    fn range(&self, range: &FetchRange) -> Result<bool, RangeHalt> {
        if self.stopped.load(Ordering::Relaxed) {
            return Err(FetchErrorKind::Cancelled.into());
        }
        let Filler { settings, watch, .. } = self.filler;
        let mut landing =
            RangeLanding::new(self, range.start, range.pieces.iter().map(|index| &self.plan.pieces[*index]));
        let mut whole = None;
        let mut no_range = None;
        repeat(settings, watch, &self.filler.origin.place(), || {
            let asked = landing.position..range.end;
            let tag = self.tag.lock().unwrap_or_else(PoisonError::into_inner).clone();
            self.requests.fetch_add(1, Ordering::Relaxed);
            match self.filler.origin.range(asked, self.filler.artifact.size, tag.as_deref())? {
                RangeAnswer::Range { body, end, tag } => {
                    let mut known = self.tag.lock().unwrap_or_else(PoisonError::into_inner);
                    if let (Some(before), Some(now)) = (known.as_deref(), tag.as_deref())
                        && before != now
                    {
                        return Err(FetchErrorKind::Replaced.into());
                    }
                    *known = known.take().or(tag);
                    drop(known);
                    landing.receive(body, end)?;
                    match landing.position == range.end {
                        true => Ok(()),
                        false => Err(ServerSetback::passing(landing.short(range.end))),
                    }
                }
                // Only the first request can use it: others have pieces of their own in progress.
                RangeAnswer::Whole { body, size, why } if self.received.load(Ordering::Relaxed) == 0 => {
                    whole = Some((body, size, why));
                    Ok(())
                }
                RangeAnswer::Whole { why, .. } | RangeAnswer::NoRange { why } => {
                    no_range = Some(why);
                    Ok(())
                }
            }
        })?;
        if let Some(why) = no_range {
            return Err(RangeHalt::NoRange(why));
        }
        let Some((body, size, why)) = whole else {
            landing.finish()?;
            return Ok(false);
        };
        self.tell_whole(why);
        self.whole(Some(RangeAnswer::Whole { body, size, why }))?;
        Ok(true)
    }

    /// Takes all remote pieces from the whole artifact; `begun` is an answer that has arrived already.
    fn whole(&self, mut begun: Option<RangeAnswer>) -> Result<(), FetchErrorKind> {
        let Filler { settings, watch, artifact, origin, .. } = self.filler;
        let remote = || self.plan.pieces.iter().filter(|piece| piece.from == PieceOrigin::Remote);
        repeat(settings, watch, &origin.place(), || {
            let answer = match begun.take() {
                Some(answer) => answer,
                None => {
                    self.requests.fetch_add(1, Ordering::Relaxed);
                    origin.whole()?
                }
            };
            let RangeAnswer::Whole { body, size, .. } = answer else { return Err(FetchErrorKind::Replaced.into()) };
            if let Some(actual) = size.filter(|size| *size != artifact.size) {
                let kind = VerifyErrorKind::Size { expected: artifact.size, actual };
                return Err(FetchErrorKind::Untrusted(kind).into());
            }
            let mut landing = RangeLanding::new(self, 0, remote());
            landing.receive(body, artifact.size)?;
            if landing.position < artifact.size {
                return Err(ServerSetback::passing(landing.short(artifact.size)));
            }
            Ok(landing.finish()?)
        })
    }
}

/// The destination of a run of bytes: its pieces go to their places, bytes in between are dropped.
struct RangeLanding<'a> {
    line: &'a PlanRequests<'a>,
    /// Position of the next byte in the artifact.
    position: u64,
    pieces: Vec<&'a PlanPiece>,
    /// Digests the current piece, the first of `pieces` from here on.
    digest: DigestWriter<io::Sink>,
    next: usize,
}

impl<'a> RangeLanding<'a> {
    fn new(line: &'a PlanRequests<'a>, position: u64, pieces: impl Iterator<Item = &'a PlanPiece>) -> Self {
        Self { line, position, pieces: pieces.collect(), digest: DigestWriter::new(io::sink()), next: 0 }
    }

    fn short(&self, end: u64) -> String {
        format!("the connection ended at byte {} of {end}", self.position)
    }

    /// Takes everything up to byte `end` of the artifact. An early end is not an error here.
    fn receive(&mut self, mut body: impl Read, end: u64) -> Result<(), ServerSetback> {
        let mut buffer = vec![0; BUFFER];
        while self.position < end {
            self.line.filler.watch.check()?;
            if self.line.stopped.load(Ordering::Relaxed) {
                return Err(FetchErrorKind::Cancelled.into());
            }
            let length = buffer.len().min(usize::try_from(end - self.position).unwrap_or(usize::MAX));
            match body.read(&mut buffer[..length]) {
                Ok(0) => return Ok(()),
                Ok(count) => self.take(&buffer[..count])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(WebFailure::of_body(&error).into()),
            }
        }
        Ok(())
    }

    fn take(&mut self, mut bytes: &[u8]) -> Result<(), FetchErrorKind> {
        let arrived = bytes.len() as u64;
        self.line.received.fetch_add(arrived, Ordering::Relaxed);
        (self.line.filler.watch.tell)(Event::TransferAdvanced { id: TRANSFER, bytes: arrived });
        while !bytes.is_empty() {
            let Some(piece) = self.pieces.get(self.next) else {
                self.position += bytes.len() as u64;
                return Ok(());
            };
            let upto = |end: u64| usize::try_from(end - self.position).unwrap_or(usize::MAX).min(bytes.len());
            if self.position < piece.offset {
                let passed = upto(piece.offset);
                self.position += passed as u64;
                bytes = &bytes[passed..];
                continue;
            }
            let (own, rest) = bytes.split_at(upto(piece.offset + piece.size));
            let at = piece.at + (self.position - piece.offset);
            let filler = self.line.filler;
            let written = self.digest.write_all(own).and_then(|()| write_all_at(filler.file, own, at));
            written.map_err(|source| filler.write_fault(source))?;
            self.position += own.len() as u64;
            bytes = rest;
            if self.position == piece.offset + piece.size {
                self.end_piece(piece)?;
            }
        }
        Ok(())
    }

    fn end_piece(&mut self, piece: &PlanPiece) -> Result<(), FetchErrorKind> {
        self.next += 1;
        let actual: Digest = std::mem::replace(&mut self.digest, DigestWriter::new(io::sink())).finish().1;
        match piece.sha256 {
            Some(expected) if expected != actual => {
                Err(VerifyErrorKind::PartDigest { part: piece.content.clone(), expected, actual }.into())
            }
            _ => Ok(()),
        }
    }

    /// Whether every piece arrived completely.
    fn finish(&self) -> Result<(), FetchErrorKind> {
        match self.pieces.get(self.next) {
            None => Ok(()),
            Some(piece) => Err(FetchErrorKind::Refused { reason: format!("`{}` never came", piece.content) }),
        }
    }
}

#[cfg(unix)]
fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

/// Moves the file's position, which nothing relies on.
#[cfg(windows)]
fn write_all_at(file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let count = std::os::windows::fs::FileExt::seek_write(file, bytes, offset)?;
        if count == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = &bytes[count..];
        offset += count as u64;
    }
    Ok(())
}
