//! Carries out a plan: pieces that are here are copied and digested, the others are requested by range and digested as
//! they arrive.

use std::collections::BTreeMap;
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
        let begun = if self.begun { self.take_up(&mut plan)? } else { BegunPieces::default() };
        let reused = self.copy(&mut plan)?;
        let ranges = begun.ranges(&plan);
        let mut filled = FillOutcome { reused, resumed: begun.whole, ..FillOutcome::default() };
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
        if !filled.whole {
            filled.resumed += begun.parts_of().sum::<u64>();
        }
        filled.fetched = line.received.into_inner();
        filled.requests = line.requests.into_inner();
        Ok(filled)
    }

    /// Finds the parts that are at their place already, and how much is there of others.
    fn take_up(&self, plan: &mut DeltaPlan) -> Result<BegunPieces, FetchErrorKind> {
        let looked =
            side_by_side(thread_count(0), plan.pieces.len(), || (), |(), index| self.arrived(&plan.pieces[index]))?;
        let mut begun = BegunPieces::default();
        for (index, (piece, arrived)) in plan.pieces.iter_mut().zip(looked).enumerate() {
            if arrived == piece.size {
                piece.from = PieceOrigin::Kept;
                begun.whole += piece.size;
            } else if arrived > 0 && piece.from == PieceOrigin::Remote {
                begun.partly.insert(index, arrived);
            }
        }
        Ok(begun)
    }

    /// How many bytes of the piece an interrupted fetch has written: all of them if they have its digest. A piece is
    /// written from its start on into a file of zeros, so what was written ends at the last byte that is not zero. None
    /// of it is trusted before the whole piece has its digest.
    fn arrived(&self, piece: &PlanPiece) -> Result<u64, FetchErrorKind> {
        let Some(expected) = piece.sha256 else { return Ok(0) };
        let end = AtomicU64::new(0);
        let look = |bytes: &[u8], done: u64| {
            if let Some(last) = bytes.iter().rposition(|byte| *byte != 0) {
                end.store(done + last as u64 + 1, Ordering::Relaxed);
            }
            Ok(())
        };
        if self.blocks(self.file, piece.at, piece.size, look)? == Some(expected) {
            return Ok(piece.size);
        }
        // All of it is there, and some of it is wrong; or it is cheaper to ask for it again.
        Ok(Some(end.into_inner()).filter(|end| *end < piece.size && *end >= FETCH_GAP).unwrap_or_default())
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

/// What an interrupted fetch has left at its place.
#[derive(Default)]
struct BegunPieces {
    /// Bytes of pieces that are complete.
    whole: u64,
    /// How much has arrived of others, by index.
    partly: BTreeMap<usize, u64>,
}

impl BegunPieces {
    fn parts_of(&self) -> impl Iterator<Item = u64> {
        self.partly.values().copied()
    }

    /// The requests of the plan; a piece that has begun is the first of its request, which begins where it ended.
    fn ranges(&self, plan: &DeltaPlan) -> Vec<FetchRange> {
        let mut ranges = Vec::new();
        for range in plan.ranges(FETCH_GAP) {
            for index in range.pieces {
                let piece = &plan.pieces[index];
                let (end, arrived) = (piece.offset + piece.size, self.partly.get(&index).copied());
                let is_next = |last: &FetchRange| arrived.is_none() && last.start >= range.start;
                match ranges.last_mut().filter(|last| is_next(last)) {
                    Some(last) => {
                        last.end = end;
                        last.pieces.push(index);
                    }
                    None => {
                        let start = piece.offset + arrived.unwrap_or_default();
                        ranges.push(FetchRange { start, end, pieces: vec![index] });
                    }
                }
            }
        }
        ranges
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

    /// As [`PlanRequests::range_once`]; if what an interrupted fetch had left of a piece turns out to be damaged, the
    /// piece is fetched from its start.
    fn range(&self, range: &FetchRange) -> Result<bool, RangeHalt> {
        let first = range.pieces.first().map(|index| &self.plan.pieces[*index]);
        let begun = first.filter(|piece| piece.offset < range.start);
        match (self.range_once(range), begun) {
            (
                Err(RangeHalt::Fault(FetchErrorKind::Untrusted(VerifyErrorKind::PartDigest { part, .. }))),
                Some(piece),
            ) if part == piece.content => {
                self.filler
                    .watch
                    .note(format!("what had arrived of the part `{part}` is damaged; it is fetched again"));
                self.range_once(&FetchRange { start: piece.offset, ..range.clone() })
            }
            (result, _) => result,
        }
    }

    /// True if the server sent everything, and everything was used.
    fn range_once(&self, range: &FetchRange) -> Result<bool, RangeHalt> {
        if self.stopped.load(Ordering::Relaxed) {
            return Err(FetchErrorKind::Cancelled.into());
        }
        let Filler { settings, watch, .. } = self.filler;
        let mut landing =
            RangeLanding::new(self, range.start, range.pieces.iter().map(|index| &self.plan.pieces[*index]));
        landing.take_up()?;
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

    /// Digests what there is already of the first piece.
    fn take_up(&mut self) -> Result<(), FetchErrorKind> {
        let Some(piece) = self.pieces.first().filter(|piece| piece.offset < self.position) else { return Ok(()) };
        let (filler, mut buffer) = (self.line.filler, vec![0; BUFFER]);
        let (mut at, end) = (piece.at, piece.at + (self.position - piece.offset));
        while at < end {
            let length = buffer.len().min(usize::try_from(end - at).unwrap_or(usize::MAX));
            let read = read_exact_at(filler.file, &mut buffer[..length], at);
            let taken = read.and_then(|()| self.digest.write_all(&buffer[..length]));
            taken.map_err(|source| filler.write_fault(source))?;
            at += length as u64;
        }
        Ok(())
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
