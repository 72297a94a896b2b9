//! All combinations of facts, against the table as the page has it: patterns, results, counts.

use extension::{DistributionLack, DistributionMode, Facts, decide};

/// Row, D Y A I R L as the table writes them, the result, and how many of the 64 combinations are its own.
const TABLE: [(u8, &str, &str, usize); 11] = [
    (1, "010***", "conda-online", 8),
    (2, "0111**", "conda-offline", 4),
    (3, "01101*", "archive", 2),
    (4, "011001", "local", 1),
    (5, "011000", "E_DIST_AIRGAP", 1),
    (6, "00**1*", "archive", 8),
    (7, "00**01", "local", 4),
    (8, "00**00", "E_DIST_NO_ENVYML", 4),
    (9, "1***1*", "archive", 16),
    (10, "1***01", "local", 8),
    (11, "1***00", "E_DIST_DISABLED", 8),
];

fn facts(bits: usize, skipped: bool) -> (Facts, String) {
    let text: String = (0..6).map(|at| if bits >> (5 - at) & 1 == 1 { '1' } else { '0' }).collect();
    let bit = |at: usize| text.as_bytes()[at] == b'1';
    let facts = Facts {
        disabled: bit(0),
        env_yml: bit(1),
        air_gapped: bit(2),
        offline_source: bit(3),
        archive: bit(4),
        folder: bit(5),
        skipped,
    };
    (facts, text)
}

fn told(outcome: Result<DistributionMode, DistributionLack>) -> &'static str {
    match outcome {
        Ok(DistributionMode::CondaOnline) => "conda-online",
        Ok(DistributionMode::CondaOffline) => "conda-offline",
        Ok(DistributionMode::Archive) => "archive",
        Ok(DistributionMode::Local) => "local",
        Ok(DistributionMode::Skipped) => "skipped",
        Err(DistributionLack::AirGap) => "E_DIST_AIRGAP",
        Err(DistributionLack::NoEnvYml) => "E_DIST_NO_ENVYML",
        Err(DistributionLack::Disabled) => "E_DIST_DISABLED",
    }
}

/// PEL 1, PEL 2
#[test]
fn l1_every_combination_meets_exactly_one_row() {
    let mut counts = [0; 12];
    for bits in 0..64 {
        let (facts, text) = facts(bits, false);
        let meets = |pattern: &str| pattern.chars().zip(text.chars()).all(|(want, is)| want == '*' || want == is);
        let rows: Vec<_> = TABLE.iter().filter(|(_, pattern, _, _)| meets(pattern)).collect();
        let [(row, _, result, _)] = rows[..] else { panic!("{text} meets {rows:?}") };
        let decision = decide(facts);
        assert_eq!((decision.row, told(decision.outcome)), (*row, *result), "for {text}");
        counts[usize::from(*row)] += 1;
        let skipped = decide(Facts { skipped: true, ..facts });
        assert_eq!((skipped.row, told(skipped.outcome)), (0, "skipped"), "for {text}");
    }
    for (row, _, _, count) in TABLE {
        assert_eq!(counts[usize::from(row)], count, "row {row}");
    }
    assert_eq!(counts.iter().sum::<usize>(), 64);
}
