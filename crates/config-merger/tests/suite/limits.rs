//! Files that no person would write: case B12 and its relatives. Each must end soon, with an ordinary fault.

use config_merger::{ConfigFaults, LoadOptions};
use serde_json::json;
use vocab::Fault as _;

use crate::support::{Case, faults};

fn refused(own: &[u8]) -> ConfigFaults {
    let case = Case::empty().file("shared-config.json", "{}").file("python-3.12.10/config.json", own);
    case.load(LoadOptions::default()).expect_err("a fault")
}

#[test]
fn b12_ten_thousand_levels_are_a_fault() {
    for (open, close) in [("[", "]"), ("{\"packages\":", "}")] {
        let text = open.repeat(10_000) + "1" + &close.repeat(10_000);
        let faults = refused(text.as_bytes());
        assert!(faults.findings[0].text.contains("nested more than 127 levels deep"), "{faults}");
        // Cut off in the middle.
        let faults = refused(open.repeat(10_000).as_bytes());
        assert!(faults.findings[0].text.contains("nested more than 127 levels deep"), "{faults}");
    }
}

#[test]
fn b12_fifty_megabytes_are_a_fault() {
    let text = format!("{{ \"packages\": {{ \"dependencies\": [{}\"x\"] }} }}", "\"numpy\", ".repeat(5_500_000));
    assert!(text.len() > 49_000_000);
    let faults = refused(text.as_bytes());
    assert!(
        faults.to_string().starts_with("python-3.12.10/config.json:1:1: the file is larger than 1024 KiB"),
        "{faults}"
    );
}

#[test]
fn a_file_that_is_wrong_throughout_is_listed_in_part() {
    let wrong = [
        // (a name, a file just below the limit of size)
        ("numbers in one line", format!("{{\"packages\":{{\"dependencies\":[{}1]}}}}", "1,".repeat(500_000))),
        (
            "unknown keys",
            format!("{{{}\"build\":1}}", (0..70_000).map(|n| format!("\"bild{n}\":1,")).collect::<String>()),
        ),
        ("repeated keys", format!("{{{}\"build\":1}}", "\"build\":1,".repeat(100_000))),
        (
            "a long key",
            format!(
                "{{\"packages\":{{\"skip\":{{\"{}\":{{{}\"x\":1}}}}}}}}",
                "k".repeat(500_000),
                "\"y\":1,".repeat(80_000)
            ),
        ),
        (
            "conflicts",
            format!(
                "{{\"packages\":{{\"dependencies\":[{}\"a\"]}}}}",
                (0..80_000).map(|n| format!("\"a=={n}\",")).collect::<String>()
            ),
        ),
    ];
    for (name, text) in wrong {
        let faults = refused(text.as_bytes());
        assert!(faults.findings.len() <= 500, "for {name}");
        assert!(faults.in_full().unwrap().len() < 1_000_000, "for {name}");
    }
}

#[test]
fn a_large_list_of_good_requirements_loads() {
    let list: Vec<String> = (0..50_000).map(|n| format!("a{n}==1")).collect();
    let own = json!({ "packages": { "dependencies": list } });
    let case = Case::empty().file("shared-config.json", "{}").file("python-3.12.10/config.json", own.to_string());
    let loaded = case.load(LoadOptions::default()).unwrap();
    assert_eq!(loaded.config.dependencies_for(vocab::PlatformKey::LinuxX64).len(), 50_000);
}

#[test]
fn what_is_no_text_or_no_file_is_a_fault() {
    let faults = refused(b"{ \"packages\": \"\xff\" }");
    assert!(
        faults.to_string().starts_with("python-3.12.10/config.json:1:16: the file is not UTF-8 from here on"),
        "{faults}"
    );

    let case = Case::empty().file("shared-config.json", "{}").file("python-3.12.10/config.json/x", "");
    let faults = case.load(LoadOptions::default()).unwrap_err();
    assert_eq!(faults.to_string(), "python-3.12.10/config.json: not a regular file");
}

#[test]
fn a_version_without_its_folder_is_a_fault() {
    let case = Case::empty().file("shared-config.json", "{}");
    let repository = config_merger::Repository::at(case.path());
    let faults = config_merger::load(&repository, &"3.12.10-x".parse().unwrap(), &LoadOptions::default()).unwrap_err();
    assert_eq!(faults.to_string(), "python-3.12.10-x: the folder is missing");
}

#[test]
fn strings_with_anything_in_them_are_quoted_on_one_line() {
    let own = json!({ "packages": { "noDeps": ["a\nb\u{1b}[31m\u{202e}"], "layout": "x" }, "layout": "\u{0}" });
    let text = faults(&json!({}), &own).to_string();
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
    assert!(!text.contains('\u{202e}'), "{text:?}");
}
