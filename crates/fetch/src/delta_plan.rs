//! Which bytes of an artifact are here already, and which must be fetched. Pure: the digests of parts decide.

use std::collections::HashMap;

use vocab::{Artifact, Digest};

/// How a file is assembled from ranges of an artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeltaPlan {
    /// Size of the file, in bytes.
    pub size: u64,
    /// Ordered by [`PlanPiece::at`], and so by [`PlanPiece::offset`] too; none is empty, no two overlap.
    pub pieces: Vec<PlanPiece>,
}

/// A part, or the bytes between and after parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanPiece {
    /// As [`vocab::Part::content`]. Empty for bytes outside of parts.
    pub content: String,
    /// Position of its first byte in the artifact.
    pub offset: u64,
    /// Position of its first byte in the file.
    pub at: u64,
    /// In bytes.
    pub size: u64,
    /// Absent for bytes outside of parts; only the digest of the whole artifact covers these.
    pub sha256: Option<Digest>,
    pub from: PieceOrigin,
}

/// Where the bytes of a piece come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PieceOrigin {
    /// It has to be requested.
    Remote,
    /// An interrupted fetch has written it to its place.
    Kept,
    /// `source` is the index of the older artifact, `offset` a position in it.
    Local { source: usize, offset: u64 },
}

/// A range of the artifact to request at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchRange {
    /// The position of the first byte.
    pub start: u64,
    /// The position after the last byte.
    pub end: u64,
    /// Indexes of the pieces that it is requested for; bytes of others in between are ignored.
    pub pieces: Vec<usize>,
}

impl FetchRange {
    /// In bytes, those between the wanted pieces included.
    pub fn size(&self) -> u64 {
        self.end - self.start
    }
}

impl DeltaPlan {
    /// Plans the whole artifact. Its parts must be in order and inside of it, as [`archive::verify`](archive::verify())
    /// demands.
    pub fn of_artifact(artifact: &Artifact, older: &[&Artifact]) -> Self {
        let known = KnownParts::new(older);
        // If the whole file is the same, the bytes outside of parts are here, too.
        let same = older.iter().position(|older| older.sha256 == artifact.sha256 && older.size == artifact.size);
        let loose = |offset: u64, end: u64| PlanPiece {
            content: String::new(),
            offset,
            at: offset,
            size: end - offset,
            sha256: None,
            from: same.map_or(PieceOrigin::Remote, |source| PieceOrigin::Local { source, offset }),
        };
        let (mut pieces, mut end) = (Vec::new(), 0);
        for part in artifact.parts.iter().filter(|part| part.size > 0) {
            if part.offset > end {
                pieces.push(loose(end, part.offset));
            }
            pieces.push(known.piece(part, part.offset));
            end = part.offset + part.size;
        }
        if artifact.size > end {
            pieces.push(loose(end, artifact.size));
        }
        Self { size: artifact.size, pieces }
    }

    /// Plans a file of the parts with these indexes, in order, one after the other.
    pub fn of_parts(artifact: &Artifact, parts: &[usize], older: &[&Artifact]) -> Self {
        let known = KnownParts::new(older);
        let mut plan = Self { size: 0, pieces: Vec::new() };
        for part in parts.iter().filter_map(|index| artifact.parts.get(*index)).filter(|part| part.size > 0) {
            plan.pieces.push(known.piece(part, plan.size));
            plan.size += part.size;
        }
        plan
    }

    /// The requests to make, in order. Two pieces with at most `gap` bytes between them share one request: that is
    /// cheaper than another round trip.
    pub fn ranges(&self, gap: u64) -> Vec<FetchRange> {
        let mut ranges: Vec<FetchRange> = Vec::new();
        for (index, piece) in self.pieces.iter().enumerate().filter(|(_, piece)| piece.from == PieceOrigin::Remote) {
            let end = piece.offset + piece.size;
            match ranges.last_mut() {
                Some(last) if piece.offset - last.end <= gap => {
                    last.end = end;
                    last.pieces.push(index);
                }
                _ => ranges.push(FetchRange { start: piece.offset, end, pieces: vec![index] }),
            }
        }
        ranges
    }
}

/// Parts of older artifacts by digest.
struct KnownParts(HashMap<Digest, (usize, u64, u64)>);

impl KnownParts {
    fn new(older: &[&Artifact]) -> Self {
        let mut known = HashMap::new();
        for (source, artifact) in older.iter().enumerate() {
            for part in &artifact.parts {
                known.entry(part.sha256).or_insert((source, part.offset, part.size));
            }
        }
        Self(known)
    }

    fn piece(&self, part: &vocab::Part, at: u64) -> PlanPiece {
        let from = match self.0.get(&part.sha256) {
            Some((source, offset, size)) if *size == part.size => {
                PieceOrigin::Local { source: *source, offset: *offset }
            }
            _ => PieceOrigin::Remote,
        };
        let (content, sha256) = (part.content.clone(), Some(part.sha256));
        PlanPiece { content, offset: part.offset, at, size: part.size, sha256, from }
    }
}

#[cfg(test)]
mod tests {
    use vocab::{ArtifactFormat, Part};

    use super::*;

    /// `name:size …`, one after the other, and 100 bytes behind them.
    fn artifact(parts: &str) -> Artifact {
        let mut offset = 0;
        let part = |text: &str| {
            let (content, size) = text.split_once(':').unwrap();
            let size = size.parse().unwrap();
            offset += size;
            Part {
                content: content.to_owned(),
                offset: offset - size,
                size,
                uncompressed_size: size,
                sha256: Digest::of(text),
                identity: None,
            }
        };
        let all: Vec<Part> = parts.split_whitespace().map(part).collect();
        let (file, format) = ("a.tar".to_owned(), ArtifactFormat::Tar);
        Artifact { file, format, level: None, sha256: Digest::of(parts), size: offset + 100, parts: all }
    }

    fn shown(plan: &DeltaPlan, gap: u64) -> String {
        let ranges = plan.ranges(gap).into_iter().map(|range| format!("{}-{}", range.start, range.end));
        ranges.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn only_what_is_not_in_an_older_artifact_is_fetched() {
        let cases = [
            // (older, newer, ranges)
            ("", "a:10 b:20", "0-130"),
            ("a:10 b:20", "a:10 b:20", ""),
            ("a:10 b:20 m:5", "a:10 b:20 m:6", "30-136"),
            ("a:10 b:20 c:30 m:5", "a:10 b:21 c:30 m:6", "10-31 61-167"),
            ("b:20 a:10", "a:10 b:20", "30-130"), // only the end differs
            ("a:10", "a:10 b:0 c:5", "10-115"),
        ];
        for (older, newer, expected) in cases {
            let (older, newer) = (artifact(older), artifact(newer));
            let plan = DeltaPlan::of_artifact(&newer, &[&older]);
            assert_eq!(shown(&plan, 0), expected, "from {older:?} to {newer:?}");
            assert_eq!(plan.pieces.iter().map(|piece| piece.size).sum::<u64>(), newer.size);
        }
    }

    #[test]
    fn near_pieces_come_with_one_request() {
        let (older, newer) = (artifact("b:20 d:30"), artifact("a:1 b:20 c:1 d:30 e:1"));
        let plan = DeltaPlan::of_artifact(&newer, &[&older]);
        for (gap, expected) in [(0, "0-1 21-22 52-153"), (20, "0-22 52-153"), (30, "0-153")] {
            assert_eq!(shown(&plan, gap), expected, "with a gap of {gap}");
        }
        assert_eq!(plan.ranges(30)[0].pieces, [0, 2, 4, 5]);
    }

    #[test]
    fn chosen_parts_stand_one_after_the_other() {
        let newer = artifact("a:10 b:20 c:30 d:40");
        let plan = DeltaPlan::of_parts(&newer, &[1, 3], &[&artifact("d:40")]);
        assert_eq!(plan.size, 60);
        let places: Vec<_> = plan.pieces.iter().map(|piece| (piece.offset, piece.at, piece.from)).collect();
        assert_eq!(places, [(10, 0, PieceOrigin::Remote), (60, 20, PieceOrigin::Local { source: 0, offset: 0 })]);
    }
}
