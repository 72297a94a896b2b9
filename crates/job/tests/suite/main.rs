//! The page of codes says what the sources say.

use std::path::Path;

#[test]
fn the_page_of_codes_is_that_of_the_sources() {
    let mut page =
        "# Codes of jobs\n\nWhat `builder job` reports, in order, and by which command; `stage` reports what \
                    `check` does. `builder job explain CODE` prints one. Written from `crates/job/src/code.rs`.\n\n\
                    | code | level | reported by | message | what to do | remarks |\n|---|---|---|---|---|---|\n"
            .to_owned();
    for row in job::code::all() {
        let cell = |text: &str| text.replace('|', "\\|");
        let (message, help, when) = (cell(row.message), cell(row.help), cell(row.when));
        let by = row.code.reported_by().join(", ");
        page.push_str(&format!("| `{}` | {} | {by} | {message} | {help} | {when} |\n", row.code, row.level));
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/job-codes.md");
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == page, "docs/job-codes.md should be:\n{page}");
}

/// The sources are searched: a code that `check` reports is made in one of them.
#[test]
fn codes_that_check_reports_are_made_somewhere() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut text = String::new();
    for entry in walkdir::WalkDir::new(sources).into_iter().flatten() {
        if entry.file_type().is_file() && entry.file_name() != "code.rs" {
            text.push_str(&std::fs::read_to_string(entry.path()).expect("sources are text"));
        }
    }
    for row in job::code::all().iter().filter(|row| row.code.reported_by().contains(&"check")) {
        assert!(text.contains(&format!("code::{}", row.code)), "nothing reports {}", row.code);
    }
}
