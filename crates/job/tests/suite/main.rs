//! The page of codes says what the sources say.

use std::path::Path;

#[test]
fn the_page_of_codes_is_that_of_the_sources() {
    let mut page =
        "# Codes of jobs\n\nWhat `builder job check` reports, in order. `builder job explain CODE` prints one. \
                    Written from `crates/job/src/code.rs`.\n\n| code | level | message | what to do | remarks |\n\
                    |---|---|---|---|---|\n"
            .to_owned();
    for row in job::code::all() {
        let cell = |text: &str| text.replace('|', "\\|");
        let (message, help, when) = (cell(row.message), cell(row.help), cell(row.when));
        page.push_str(&format!("| `{}` | {} | {message} | {help} | {when} |\n", row.code, row.level));
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/job-codes.md");
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == page, "docs/job-codes.md should be:\n{page}");
}
