//! The pages: what stands in them, where their links lead, what they do with text from outside.

use std::collections::BTreeMap;

use catalogue::site::{SiteSettings, site};
use catalogue::{ArtifactEntry, Catalogue, Retraction};

use crate::common::{entry, moment};

fn entries() -> Vec<ArtifactEntry> {
    let mut entries: Vec<ArtifactEntry> = [
        "3.12.10 linux-x64 a tar.zst 3 stable",
        "3.12.10 linux-x64 b tar.zst 9 stable",
        "3.12.10 linux-x64 b zip 9 stable",
        "3.12.10 windows-x64 b tar.zst 9 candidate",
        "3.12.10-atls macosx-aarch64 a tar.zst 5 candidate",
        "3.9.2 windows-x64 a zip 1 stable",
    ]
    .map(entry)
    .into();
    entries[1].content.packages[0].version = "2.3.0".into();
    entries[1].content.packages.remove(1);
    entries[1].content.warnings = Some(3);
    entries
}

fn pages(entries: &[ArtifactEntry], base_url: Option<&str>) -> BTreeMap<String, String> {
    let bad = Retraction::new(entries[5].id(), moment(6), "it holds a broken OpenSSL".into());
    let catalogue = Catalogue::derive(entries, &[bad], &[]);
    let settings = SiteSettings { base_url: base_url.map(str::to_owned), ..SiteSettings::default() };
    let text = |(path, bytes): (String, Vec<u8>)| (path, String::from_utf8(bytes).expect("every file is text"));
    site(&catalogue, entries, &settings).into_iter().map(text).collect()
}

/// Values of an attribute, as they are written.
fn values<'a>(page: &'a str, attribute: &str) -> Vec<&'a str> {
    let opening = format!(" {attribute}=\"");
    let pieces = page.split(&opening).skip(1);
    pieces.map(|piece| piece.split('"').next().unwrap_or_default()).collect()
}

#[test]
fn there_is_a_page_for_all_and_one_for_each_runtime_that_is_offered() {
    let pages = pages(&entries(), None);
    let names: Vec<&str> = pages.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "site/3.12.10-atls/index.html",
            "site/3.12.10/index.html",
            "site/index.html",
            "site/script.js",
            "site/style.css"
        ]
    );
    let index = &pages["site/index.html"];
    for text in
        ["3.12.10<span class=\"variant\">-atls</span>", "stand-in 3.12.9", "it holds a broken OpenSSL", "30.0 MB"]
    {
        assert!(index.contains(text), "no {text:?}");
    }
    assert!(
        values(index, "data-search").iter().any(|found| found.starts_with("3.12.10-atls ") && found.contains("numpy"))
    );
}

#[test]
fn a_runtimes_page_tells_what_is_inside_what_changed_and_how_to_have_it() {
    let pages = pages(&entries(), Some("https://runtimes.example/p/"));
    let page = &pages["site/3.12.10/index.html"];
    let digest = entries()[1].artifact.sha256;
    for text in [
        "pydist get 3.12.10 --from https://runtimes.example/p",
        "uv python install 3.12.9 --python-downloads-json-url https://runtimes.example/p/downloads.json",
        &format!("curl -fLO https://runtimes.example/p/artifacts/{}/{digest}/", &digest.to_string()[..2]),
        "sha256sum --check",
        "minisign -V -m pydist-python-3.12.9-linux-x86_64.tar.zst -P RWQf6LRC",
        "(Get-FileHash pydist-python-3.12.9-windows-x86_64.tar.zst).Hash",
        "no CUDA on this platform",
        "built from source",
        "BSD-3-Clause",
        "glibc 2.17 or newer, not musl",
        "3 findings, listed in the manifest",
        "20 native modules imported natively, 1 failed as expected",
        "<code>@laboratory/runenv-python-3.12.10</code> 1.3.24",
        "numpy 2.2.6 → <strong>2.3.0</strong>",
        "parasail 1.3.4</li>",
        "only windows-x64",
        "Earlier and other builds",
        &digest.to_string(),
    ] {
        assert!(page.contains(text), "no {text:?}");
    }
    assert!(!page.contains("CATALOGUE-URL") && page.contains("../../downloads.json"));
    assert!(pages["site/3.12.10-atls/index.html"].contains("--channel candidate"));
}

/// What an entry says is whoever published it; a script in place of a page is not followed.
#[test]
fn an_npm_package_is_linked_to_the_page_that_it_names() {
    for (page, expected) in [
        (
            "https://laboratory.example/runenv",
            "<a href=\"https://laboratory.example/runenv\"><code>@laboratory/runenv-python-3.12.10</code></a> 1.3.24",
        ),
        ("javascript:alert(1)", "<dd><code>@laboratory/runenv-python-3.12.10</code> 1.3.24"),
    ] {
        let mut entries = entries();
        entries.iter_mut().filter_map(|entry| entry.npm.as_mut()).for_each(|npm| npm.page = Some(page.to_owned()));
        let pages = pages(&entries, None);
        assert!(pages["site/3.12.10/index.html"].contains(expected), "{page}");
    }
}

#[test]
fn nothing_comes_from_elsewhere_and_every_link_leads_to_something() {
    let entries = entries();
    let pages = pages(&entries, None);
    let mut known: Vec<String> = pages.keys().cloned().collect();
    // Without a URL there are no lists for uv.
    known.push("catalogue.json".to_owned());
    for entry in &entries {
        known.extend([entry.artifact.key.to_string(), entry.manifest.key.to_string()]);
        known.push(format!("{}.sha256", entry.artifact.key));
        known.extend(entry.sbom.iter().map(|object| object.key.to_string()));
        known.extend(entry.signatures.iter().map(|signatures| signatures.artifact.key.to_string()));
    }
    for (path, page) in pages.iter().filter(|(path, _)| path.ends_with(".html")) {
        let links = [values(page, "href"), values(page, "src")].concat();
        assert!(links.len() > 5, "{path}");
        for link in links.into_iter().filter(|link| *link != "data:,") {
            let (file, fragment) = link.split_once('#').unwrap_or((link, ""));
            let mut place: Vec<&str> = path.split('/').collect();
            place.pop();
            for segment in file.split('/') {
                if segment == ".." {
                    place.pop();
                } else {
                    place.push(segment);
                }
            }
            let target = if file.is_empty() { path.clone() } else { place.join("/") };
            assert!(known.contains(&target), "{path}: {link} leads to {target}");
            if !fragment.is_empty() {
                assert!(values(&pages[&target], "id").contains(&fragment), "{path}: nothing in {target} is {fragment}");
            }
        }
        let mut ids = values(page, "id");
        ids.sort_unstable();
        assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "{path}: an id twice in {ids:?}");
    }
    for (path, text) in &pages {
        let elsewhere = ["https://", "http://", "@import", "url("].iter().any(|needle| text.contains(needle));
        assert!(!elsewhere, "{path}");
    }
}

#[test]
fn a_page_claims_no_signature_and_no_list_that_is_not_there() {
    let mut entries = entries();
    let signatures = entries[1].signatures.clone();
    entries.iter_mut().for_each(|entry| entry.signatures.clone_from(&signatures));
    let signed = pages(&entries, Some("https://runtimes.example/p"));
    assert!(signed["site/index.html"].contains("packed and signed"));
    entries[0].signatures = None;
    let pages = pages(&entries, None);
    assert!(pages["site/index.html"].contains("checked and packed"));
    for (path, page) in &pages {
        assert!(!page.contains("uv python install") && !page.contains("downloads.json"), "{path}");
    }
}

#[test]
fn text_from_outside_stays_text() {
    let evil = "<script>alert(1)</script>\"'&";
    let mut entries = entries();
    for entry in &mut entries {
        entry.content.packages[0].licence = Some(evil.into());
        entry.content.packages[0].version = evil.into();
        entry.content.rules[0].reason = evil.into();
        entry.content.absent = vec![evil.into()];
        entry.python.source = evil.into();
    }
    let bad = Retraction::new(entries[5].id(), moment(6), evil.into());
    let catalogue = Catalogue::derive(&entries, &[bad], &[]);
    let settings = SiteSettings { title: evil.into(), base_url: Some(evil.into()) };
    for (path, bytes) in site(&catalogue, &entries, &settings) {
        assert!(!String::from_utf8(bytes).unwrap().contains("<script>alert"), "{path}");
    }
}

#[test]
fn attack_13_every_page_has_a_policy_that_permits_what_it_uses_and_nothing_inline() {
    let pages = pages(&entries(), Some("https://runtimes.example"));
    for (path, page) in pages.iter().filter(|(path, _)| path.ends_with(".html")) {
        let policy = values(page, "content").into_iter().find(|content| content.contains("default-src"));
        let policy = policy.unwrap_or_else(|| panic!("{path} has no policy"));
        assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"), "{path}: {policy}");
        // It holds for what stands behind it.
        let at = |text: &str| page.find(text).unwrap_or_else(|| panic!("{path}: no {text}"));
        assert!(at("Content-Security-Policy") < at("<link").min(at("<script")), "{path}");
        assert_eq!(page.matches("<script").count(), 1, "{path}");
        assert!(page.contains("script.js\" defer></script>"), "{path}: the script has no text of its own");
        for inline in ["<style", " style=\"", " onclick=", " onload=", "javascript:", "<iframe", "<base", "<object"] {
            assert!(!page.contains(inline), "{path}: {inline}");
        }
    }
}

#[test]
fn an_empty_catalogue_and_one_whose_entries_are_gone_have_pages_too() {
    let settings = SiteSettings::default();
    let empty = site(&Catalogue::derive(&[], &[], &[]), &[], &settings);
    assert!(String::from_utf8_lossy(&empty["site/index.html"]).contains("Nothing is published here yet"));
    let bare = site(&Catalogue::derive(&entries(), &[], &[]), &[], &settings);
    let page = String::from_utf8_lossy(&bare["site/3.12.10/index.html"]);
    assert!(page.contains("30.0 MB") && !page.contains("id=\"size\""));
}
