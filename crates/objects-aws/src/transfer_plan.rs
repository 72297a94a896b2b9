//! The steps of a multipart upload: what the server copies, what is sent. Pure.
//!
//! The protocol sets the limits: every step but the last has at least 5 MiB, none more than 5 GiB, at most 10,000 of
//! them. A changed stretch that is shorter than the least is widened into what follows it.

use std::ops::Range;

use objects::SharedRange;

/// Where the bytes of a step come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepSource {
    /// Sent from the file.
    Send,
    /// Copied by the server, from this offset in the former object.
    Copy { from: u64 },
}

/// One part of the upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferStep {
    /// Its range in the new file.
    pub range: Range<u64>,
    pub source: StepSource,
}

impl TransferStep {
    /// In bytes; never 0.
    pub fn size(&self) -> u64 {
        self.range.end - self.range.start
    }
}

/// The protocol's limits for parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransferLimits {
    /// The least size of a step that is not the last, in bytes.
    pub least: u64,
    /// The largest sent step, in bytes; at least twice `least`.
    pub sent: u64,
    /// The largest copied step, in bytes; at least twice `least`.
    pub copied: u64,
    pub steps: u64,
}

impl TransferLimits {
    /// The limits of Amazon's S3. Sent steps of 16 MiB keep many connections busy with little memory; copies of 256
    /// MiB are made side by side.
    pub const S3: Self = Self { least: 5 << 20, sent: 16 << 20, copied: 256 << 20, steps: 10_000 };
}

/// Steps in order, without gaps: together they are the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferPlan {
    pub steps: Vec<TransferStep>,
}

impl TransferPlan {
    /// `shared` sorted by offset and inside the file. The same arguments give the same steps, so an interrupted upload
    /// finds its own again.
    pub fn new(size: u64, shared: &[SharedRange], limits: &TransferLimits) -> Self {
        let plan = Self::within(size, shared, limits);
        if plan.steps.len() as u64 <= limits.steps {
            return plan;
        }
        // Only a file of many gigabytes gets here: larger steps, and no copies of short stretches.
        let sent = size.div_ceil(limits.steps / 2).max(limits.sent);
        let longer = TransferLimits { sent, least: sent / 2, copied: limits.copied.max(sent), ..*limits };
        Self::within(size, shared, &longer)
    }

    fn within(size: u64, shared: &[SharedRange], limits: &TransferLimits) -> Self {
        let runs = widened(runs_of(size, shared, limits.least), limits.least);
        let steps = runs.iter().flat_map(|run| split(run, limits)).collect();
        Self { steps }
    }

    /// Bytes that are sent from here.
    pub fn sent(&self) -> u64 {
        self.steps.iter().filter(|step| step.source == StepSource::Send).map(TransferStep::size).sum()
    }
}

/// Alternating stretches that are copied or sent; no copied one is shorter than `least`.
fn runs_of(size: u64, shared: &[SharedRange], least: u64) -> Vec<TransferStep> {
    let mut copies: Vec<TransferStep> = Vec::new();
    for piece in shared.iter().filter(|piece| piece.size > 0 && piece.offset + piece.size <= size) {
        let range = piece.offset..piece.offset + piece.size;
        if let Some(last) = copies.last_mut()
            && let StepSource::Copy { from } = last.source
        {
            if range.start < last.range.end {
                continue;
            }
            if range.start == last.range.end && from + last.size() == piece.former {
                last.range.end = range.end;
                continue;
            }
        }
        copies.push(TransferStep { range, source: StepSource::Copy { from: piece.former } });
    }
    let mut runs = Vec::new();
    let mut end = 0;
    for copy in copies.into_iter().filter(|copy| copy.size() >= least) {
        if copy.range.start > end {
            runs.push(TransferStep { range: end..copy.range.start, source: StepSource::Send });
        }
        end = copy.range.end;
        runs.push(copy);
    }
    if end < size || runs.is_empty() {
        runs.push(TransferStep { range: end..size, source: StepSource::Send });
    }
    runs
}

/// Sent stretches of less than `least` take bytes from the copied one behind them, or all of it.
fn widened(runs: Vec<TransferStep>, least: u64) -> Vec<TransferStep> {
    let mut done: Vec<TransferStep> = Vec::new();
    let mut rest = runs.into_iter().peekable();
    while let Some(mut run) = rest.next() {
        if let Some(last) = done.last_mut()
            && last.source == StepSource::Send
            && (run.source == StepSource::Send || last.size() < least)
        {
            let missing = least.saturating_sub(last.size());
            // What remains of a copied stretch has to be long enough, unless nothing follows it.
            let enough = missing + if rest.peek().is_some() { least } else { 1 };
            match &mut run.source {
                StepSource::Copy { from } if run.range.end - run.range.start >= enough => {
                    last.range.end += missing;
                    run.range.start += missing;
                    *from += missing;
                }
                _ => {
                    last.range.end = run.range.end;
                    continue;
                }
            }
        }
        done.push(run);
    }
    done
}

/// In equal pieces, so that none of them is too short.
fn split(run: &TransferStep, limits: &TransferLimits) -> Vec<TransferStep> {
    let most = match run.source {
        StepSource::Send => limits.sent,
        StepSource::Copy { .. } => limits.copied,
    };
    let count = run.size().div_ceil(most).max(1);
    let piece = run.size().div_ceil(count);
    (0..count)
        .map(|index| {
            let start = (run.range.start + index * piece).min(run.range.end);
            let end = (start + piece).min(run.range.end);
            let source = match run.source {
                StepSource::Send => StepSource::Send,
                StepSource::Copy { from } => StepSource::Copy { from: from + (start - run.range.start) },
            };
            TransferStep { range: start..end, source }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: TransferLimits = TransferLimits { least: 5, sent: 16, copied: 40, steps: 1000 };

    fn told(plan: &TransferPlan) -> String {
        let step = |step: &TransferStep| match step.source {
            StepSource::Send => format!("send {}..{}", step.range.start, step.range.end),
            StepSource::Copy { from } => format!("copy {}..{} from {from}", step.range.start, step.range.end),
        };
        plan.steps.iter().map(step).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn unchanged_stretches_are_copied_and_short_changes_widened() {
        let shared = |rows: &[(u64, u64, u64)]| -> Vec<SharedRange> {
            rows.iter().map(|&(offset, former, size)| SharedRange { offset, former, size }).collect()
        };
        type Row = (u64, u64, u64);
        let cases: [(&str, u64, &[Row], &str); 9] = [
            ("nothing in common", 40, &[], "send 0..14, send 14..28, send 28..40"),
            ("an empty file", 0, &[], "send 0..0"),
            ("everything in common", 30, &[(0, 100, 30)], "copy 0..30 from 100"),
            ("neighbours are one copy", 30, &[(0, 0, 10), (10, 10, 20)], "copy 0..30 from 0"),
            (
                "a change in the middle",
                40,
                &[(0, 0, 10), (20, 25, 20)],
                "copy 0..10 from 0, send 10..20, copy 20..40 from 25",
            ),
            ("a short change", 40, &[(0, 0, 10), (12, 25, 28)], "copy 0..10 from 0, send 10..15, copy 15..40 from 28"),
            (
                "a short change before a short copy",
                40,
                &[(0, 0, 10), (12, 25, 6), (30, 50, 10)],
                "copy 0..10 from 0, send 10..20, send 20..30, copy 30..40 from 50",
            ),
            ("a short end", 32, &[(0, 0, 30)], "copy 0..30 from 0, send 30..32"),
            (
                "copies have a limit as well",
                90,
                &[(0, 7, 90)],
                "copy 0..30 from 7, copy 30..60 from 37, copy 60..90 from 67",
            ),
        ];
        for (name, size, rows, expected) in cases {
            assert_eq!(told(&TransferPlan::new(size, &shared(rows), &SMALL)), expected, "{name}");
        }
    }

    #[test]
    fn whatever_is_shared_the_steps_are_the_file_and_keep_the_limits() {
        // A small generator: no more is needed to walk through unlike shapes.
        let mut state = 7_u64;
        let mut random = move |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        for round in 0..3000 {
            let size = random(400);
            let mut shared = Vec::new();
            let mut at = random(12);
            while at < size {
                let piece = (1 + random(60)).min(size - at);
                shared.push(SharedRange { offset: at, former: random(1000), size: piece });
                at += piece + random(14);
            }
            let plan = TransferPlan::new(size, &shared, &SMALL);
            let mut end = 0;
            for (index, step) in plan.steps.iter().enumerate() {
                assert_eq!(step.range.start, end, "round {round}: no gap");
                end = step.range.end;
                let last = index + 1 == plan.steps.len();
                assert!(last || step.size() >= SMALL.least, "round {round}: {}", told(&plan));
                assert!(step.size() <= SMALL.copied, "round {round}: {}", told(&plan));
                if let StepSource::Copy { from } = step.source {
                    let holds = |at: u64, from: u64| {
                        shared.iter().any(|it| {
                            it.offset <= at && at < it.offset + it.size && it.former + (at - it.offset) == from
                        })
                    };
                    let right = (0..step.size()).all(|index| holds(step.range.start + index, from + index));
                    assert!(right, "round {round}: copied bytes are shared bytes");
                }
            }
            assert_eq!(end, size, "round {round}");
        }
    }

    #[test]
    fn a_file_of_a_terabyte_has_no_more_steps_than_allowed() {
        let plan = TransferPlan::new(1 << 40, &[], &TransferLimits::S3);
        assert!(plan.steps.len() <= 10_000, "{} steps", plan.steps.len());
    }
}
