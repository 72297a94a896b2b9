//! What a person sees of the program: command, exit code, standard output and standard error.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use archive::{NoCache, PartSource, TreeEntry, pack};
use testkit::{HOSTILE_TEXT, HttpServer, assert_harmless};
use vocab::{ArtifactFormat, Digest};

use testkit::runtime::{Runtime, manifest_beside};
use testkit::trees as common;

struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The command line is split at blanks; paths are seen from the desk's folder.
    fn run(&self, line: &str) -> String {
        self.run_with(line, &[])
    }

    fn run_with(&self, line: &str, variables: &[(&str, &str)]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_archive"));
        command.args(line.split_whitespace()).current_dir(self.folder.path()).stdin(Stdio::null()).env_clear();
        command.envs(variables.iter().copied());
        #[cfg(windows)]
        command.env("SystemRoot", std::env::var_os("SystemRoot").unwrap_or_default());
        let output = command.output().unwrap();
        let mut text = format!("$ archive {line}\nexit {}\n", output.status.code().unwrap());
        for (name, bytes) in [("stdout", output.stdout), ("stderr", output.stderr)] {
            if !bytes.is_empty() {
                let _ = writeln!(text, "--- {name}\n{}", String::from_utf8(bytes).unwrap().trim_end());
            }
        }
        self.redacted(&text)
    }

    fn redacted(&self, text: &str) -> String {
        // In the words of this system.
        let absent = std::io::Error::from_raw_os_error(2).to_string();
        let text = text.replace(".exe", "").replace(&absent, "<absent>");
        let line = |line: &str| -> String {
            let words = line.split_inclusive([' ', '"', ':', '`', ',', '/']);
            let hidden: String = words.map(hidden).collect();
            // Times vary.
            let cut = hidden.find("done: ").and_then(|at| hidden[at..].find(',').map(|comma| at + comma));
            cut.map_or(hidden.clone(), |cut| hidden[..cut].to_owned()) + "\n"
        };
        text.lines().filter(|line| !line.contains("elapsed_ms")).map(line).collect()
    }

    /// Two folders, a program, a file and a link, in two parts.
    fn small(&self, name: &str, format: ArtifactFormat) -> PathBuf {
        let path = |text: &str| text.parse().unwrap();
        let program = archive::FileContent::Bytes((*b"#!/bin/sh\n").into());
        let first = vec![
            TreeEntry::directory(path("top/empty")),
            TreeEntry::file(path("top/bin/run"), program, true),
            TreeEntry::symlink(path("top/bin/also"), "run"),
        ];
        let second = vec![TreeEntry::bytes(path("top/notice.txt"), *b"notice")];
        let target = self.path(name);
        let parts = [PartSource::new("one", first), PartSource::new("two", second)];
        pack(&target, &parts, &common::options(format), &NoCache).unwrap();
        target
    }
}

/// Digests and ports, which stand for themselves.
fn hidden(word: &str) -> String {
    let (core, end) = match word.char_indices().last() {
        Some((at, ' ' | '"' | ':' | '`' | ',' | '/')) => word.split_at(at),
        _ => (word, ""),
    };
    let is_digest = core.len() == 64 && core.parse::<Digest>().is_ok();
    let is_short = core.len() == 12 && core.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_port = end == "/" && core.len() >= 4 && core.parse::<u16>().is_ok();
    let shown = if is_digest {
        "<sha256>"
    } else if is_short {
        "<short>"
    } else if is_port {
        "<port>"
    } else {
        core
    };
    format!("{shown}{end}")
}

/// A tar with one empty file of this name.
fn tar_with(name: &str) -> Vec<u8> {
    let mut block = [0_u8; 512];
    block[..name.len()].copy_from_slice(name.as_bytes());
    block[100..107].copy_from_slice(b"0000644");
    block[124..135].copy_from_slice(b"00000000000");
    block[136..147].copy_from_slice(b"00000000000");
    block[148..156].fill(b' ');
    block[156] = b'0';
    block[257..263].copy_from_slice(b"ustar\0");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..154].copy_from_slice(format!("{sum:06o}").as_bytes());
    block[154] = 0;
    [&block[..], &[0; 1024]].concat()
}

fn names(folder: &Path) -> Vec<String> {
    let items = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = items.map(|item| item.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn wrong_usage_is_answered_with_what_to_write() {
    let desk = Desk::new();
    let help = desk.run("--help");
    for word in ["exit 0", "list", "verify", "extract", "diff", "fetch", "Exit codes: 0 done"] {
        assert!(help.contains(word), "no {word:?} in {help}");
    }
    for line in ["", "list", "extract x", "fetch", "fetch a --out b --to c", "extract a --to b --sha256 12", "eat x"] {
        assert!(desk.run(line).contains("\nexit 2\n"), "for {line:?}");
    }
}

#[test]
fn entries_are_listed_in_their_order() {
    let desk = Desk::new();
    for format in [ArtifactFormat::TarZst, ArtifactFormat::TarGz, ArtifactFormat::Tar] {
        desk.small("small", format);
        insta::assert_snapshot!("list", desk.run("list small"));
    }
    insta::assert_snapshot!("list_json", desk.run("list small --json"));
    fs::write(desk.path("text"), "no archive").unwrap();
    fs::write(desk.path("escape.tar"), tar_with("../x\u{1b}[31m")).unwrap();
    let lines = ["list text", "list absent", "list escape.tar", "list --parts small"];
    insta::assert_snapshot!("list_faults", lines.map(|line| desk.run(line)).join("\n"));
}

#[test]
fn parts_are_listed_from_the_manifest() {
    let desk = Desk::new();
    let runtime = Runtime { versions: [("demo".to_owned(), "1.0".to_owned())].into(), bytes: 1000, ..Runtime::new() };
    runtime.pack(desk.folder.path(), "runtime");
    let text = desk.run("list --parts runtime.tar.zst");
    for row in ["base", "demo-1.0-py3-none-any.whl", "copied-files", "metadata"] {
        assert!(text.lines().any(|line| line.ends_with(row)), "no {row} in {text}");
    }
    let json = desk.run("list --parts runtime.tar.zst --json");
    assert_eq!(json.matches(r#"{"event":"part","content":"#).count(), 4, "{json}");
}

#[test]
fn an_archive_is_compared_with_its_manifest_or_judged() {
    let desk = Desk::new();
    let runtime = Runtime { versions: [("demo".to_owned(), "1.0".to_owned())].into(), bytes: 1000, ..Runtime::new() };
    let (artifact, manifest) = runtime.pack(desk.folder.path(), "runtime");
    desk.small("small.tar.gz", ArtifactFormat::TarGz);
    fs::write(desk.path("escape.tar"), tar_with("../x")).unwrap();
    let mut text = String::new();
    for line in ["verify runtime.tar.zst", "verify runtime.tar.zst --json", "verify small.tar.gz", "verify escape.tar"]
    {
        text += &desk.run(line);
    }
    let mut bytes = fs::read(&artifact).unwrap();
    bytes[manifest.artifact.unwrap().parts[1].offset as usize + 20] ^= 1;
    fs::write(&artifact, bytes).unwrap();
    text += &desk.run("verify runtime.tar.zst");
    text += &desk.run("verify small.tar.gz --manifest absent.json");
    fs::remove_file(manifest_beside(&artifact)).unwrap();
    assert!(desk.run("verify runtime.tar.zst").contains("exit 4"), "the frame's own checksum is wrong");
    insta::assert_snapshot!(text);
    assert_eq!(names(desk.folder.path()), ["escape.tar", "runtime.tar.zst", "small.tar.gz"], "nothing is written");
}

#[test]
fn archives_are_extracted_whole_or_not_at_all() {
    let desk = Desk::new();
    let archive = desk.small("small.tar", ArtifactFormat::Tar);
    let digest = Digest::of(fs::read(archive).unwrap());
    let wrong = Digest::of("another");
    let mut text = desk.run("extract small.tar --to kept");
    text += &desk.run(&format!("extract small.tar --to stripped --strip-top --copy-links --sha256 {digest}"));
    text += &desk.run(&format!("extract small.tar --to wrong --sha256 {wrong}"));
    text += &desk.run("extract small.tar --to kept");
    insta::assert_snapshot!(text);
    assert_eq!(names(desk.folder.path()), ["kept", "small.tar", "stripped"]);
    assert_eq!(names(&desk.path("kept")), ["top"]);
    assert!(fs::symlink_metadata(desk.path("stripped/bin/also")).unwrap().is_file());
}

#[test]
fn two_runtimes_are_compared() {
    let desk = Desk::new();
    let versions = |rows: [(&str, &str); 3]| rows.map(|(name, version)| (name.to_owned(), version.to_owned())).into();
    let older = [("gone", "1.0"), ("kept", "1.0"), ("moved", "1.0")];
    let older = Runtime { versions: versions(older), bytes: 1000, ..Runtime::new() };
    let newer = [("kept", "1.0"), ("moved", "1.1"), ("new", "2.0")];
    let newer = Runtime { versions: versions(newer), ..older.clone() };
    older.pack(desk.folder.path(), "a");
    newer.pack(desk.folder.path(), "b");
    // Sizes depend on the compressor.
    let sizes_hidden = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let is_size = |at: usize| words.get(at + 1).is_some_and(|unit| matches!(*unit, "B" | "kB"));
        let shown = words.iter().enumerate().map(|(at, word)| if is_size(at) { "N" } else { word });
        shown.collect::<Vec<_>>().join(" ") + "\n"
    };
    let text = desk.run("diff a.tar.zst b.tar.zst --files");
    let share = text.rsplit_once('(').unwrap().1.split(' ').next().unwrap().parse::<f64>().unwrap();
    assert!(share > 10.0 && share < 90.0, "{text}");
    let changes = text.rsplit_once("update:").unwrap().0;
    insta::assert_snapshot!(changes.lines().map(sizes_hidden).collect::<String>());
    let same = desk.run("diff a.tar.zst.json a.tar.zst");
    assert!(same.contains("stdout\nupdate: 0 B of "), "{same}");
    let json = desk.run("diff a.tar.zst b.tar.zst.json --json");
    assert!(
        json.contains(r#"{"event":"diff","base":null,"packages":[{"name":"gone","before":"1.0","after":null}"#),
        "{json}"
    );
    assert!(desk.run("diff a.tar.zst absent").contains("exit 1"));
}

#[test]
fn fetching_says_what_was_transferred() {
    let desk = Desk::new();
    let runtime = Runtime { bytes: 20_000, ..Runtime::new() };
    runtime.pack(desk.folder.path(), "old");
    let server = HttpServer::start();
    let published = tempfile::tempdir().unwrap();
    let (artifact, _) = runtime.clone().with("demo7", "1.1").pack(published.path(), "new");
    server.mount("/dist/", published.path());
    let url = server.url("/dist/new.tar.zst");

    let text = desk.run(&format!("fetch {url} --from old.tar.zst"));
    assert!(text.contains("exit 0\n--- stdout\nnew.tar.zst\n"), "{text}");
    assert!(text.contains("18 of 20 parts were already here"), "{text}");
    assert!(desk.run("verify new.tar.zst").contains("exit 0"));
    let json = desk.run(&format!("fetch {url} --from old.tar.zst --out copy --json"));
    assert!(json.contains(r#"{"event":"fetched","path":"copy","sha256":"<sha256>","size":"#), "{json}");
    assert!(desk.run(&format!("fetch {url} --from old.tar.zst --to tree")).contains("stdout\ntree\n"));

    fs::write(published.path().join("bare"), "x").unwrap();
    let mut bytes = fs::read(&artifact).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    fs::write(&artifact, bytes).unwrap();
    let secret = server.url_as("ada", "secret", "/dist/bare");
    let mut text = desk.run(&format!("fetch {secret} --out never")).replace(&secret, "<url>");
    text += &desk.run(&format!("fetch {url} --sha256 {} --out never", Digest::of("another")));
    text += &desk.run("fetch ftp://host/x");
    text += &desk.run(&format!("fetch {url} --from tree --out never"));
    text += &desk.run(&format!("fetch {url} --from absent --out never"));
    insta::assert_snapshot!(text);
    let damaged = desk.run(&format!("fetch {url} --out never"));
    assert!(damaged.contains("exit 4") && damaged.contains("the SHA-256 of its part"), "{damaged}");
    assert_eq!(
        names(desk.folder.path()),
        ["copy", "copy.json", "new.tar.zst", "new.tar.zst.json", "old.tar.zst", "old.tar.zst.json", "tree"]
    );
}

/// Windows writes the names of files in another encoding than programs speak to each other.
#[test]
fn names_of_any_language_are_told_and_written_as_they_are() {
    let desk = Desk::new();
    let artifact = desk.small("größer-倉庫.tar.zst", ArtifactFormat::TarZst);
    let text = desk.run("extract größer-倉庫.tar.zst --to дерево");
    assert!(text.contains("exit 0\n--- stdout\nдерево\n"), "{text}");
    assert_eq!(fs::read(desk.path("дерево").join("top/notice.txt")).unwrap(), b"notice");
    fs::remove_file(artifact).unwrap();
    let text = desk.run("list größer-倉庫.tar.zst");
    assert!(text.contains("exit 1\n") && text.contains("größer-倉庫.tar.zst"), "{text}");
}

/// attack 10
#[cfg(unix)]
#[test]
fn modes_are_those_of_the_format_whatever_the_umask() {
    use std::os::unix::fs::PermissionsExt;
    let desk = Desk::new();
    for format in ArtifactFormat::ALL {
        desk.small(&format!("small.{}", format.extension()), format);
    }
    let older = Runtime::new().pack(&desk.path("old"), "old").0;
    Runtime::new().with("demo7", "1.1").pack(&desk.path("new"), "new");
    archive::extract(&older, &desk.path("prefix"), &archive::ExtractOptions::default()).unwrap();
    let under = |umask: &str, line: &str| {
        // The umask belongs to a process as a whole, so each is one of its own.
        let mut command = Command::new("sh");
        command.args(["-c", "umask \"$0\"; exec \"$@\"", umask, env!("CARGO_BIN_EXE_archive")]);
        let output = command.args(line.split_whitespace()).current_dir(desk.folder.path()).output().unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    };
    let modes = |folder: &Path| -> std::collections::BTreeSet<(bool, bool, u32)> {
        let mode = |path: &Path| fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777;
        let entries = archive::scan(folder).unwrap().into_iter().filter_map(|entry| match entry.kind {
            archive::EntryKind::Directory => Some((true, false, mode(&entry.path.below(folder)))),
            archive::EntryKind::File { executable, .. } => Some((false, executable, mode(&entry.path.below(folder)))),
            archive::EntryKind::Symlink { .. } => None,
        });
        entries.chain([(true, false, mode(folder))]).collect()
    };
    let expected = [(false, false, 0o644), (false, true, 0o755), (true, false, 0o755)].into();
    for umask in ["000", "002", "022", "077"] {
        for format in ArtifactFormat::ALL.map(ArtifactFormat::extension) {
            under(umask, &format!("extract small.{format} --to {umask}-{format}"));
            assert_eq!(modes(&desk.path(&format!("{umask}-{format}"))), expected, "{format} under {umask}");
        }
        under(umask, &format!("fetch new/new.tar.zst --from prefix --to {umask}-fetched"));
        assert_eq!(modes(&desk.path(&format!("{umask}-fetched"))), expected, "fetched under {umask}");
    }
}

#[test]
fn attack_7_neither_a_hostile_manifest_nor_names_in_an_archive_control_a_terminal_or_a_runner() {
    let desk = Desk::new();
    let runtime = Runtime { versions: [("demo".to_owned(), "1.0".to_owned())].into(), bytes: 1000, ..Runtime::new() };
    let (_, genuine) = runtime.pack(desk.folder.path(), "genuine");
    let (artifact, _) = runtime.pack(desk.folder.path(), "hostile");
    let spoil = |pointers: &[&str]| {
        let mut manifest = serde_json::to_value(&genuine).unwrap();
        for pointer in pointers {
            *manifest.pointer_mut(pointer).unwrap() = HOSTILE_TEXT.into();
        }
        fs::write(manifest_beside(&artifact), manifest.to_string()).unwrap();
    };
    fs::write(desk.path("names.tar"), tar_with(&HOSTILE_TEXT[..60])).unwrap();
    let in_github = [("GITHUB_ACTIONS", "true")];
    let texts = ["/base/origin", "/distributions/0/version"];
    let parts = ["/artifact/parts/0/content", "/artifact/parts/1/content"];
    let cases: [(&[&str], &str, bool); 9] = [
        // (what is hostile in the manifest, the command, whether it shows that)
        (&parts, "list --parts hostile.tar.zst", true),
        (&parts, "diff genuine.tar.zst hostile.tar.zst", true),
        (&texts, "diff genuine.tar.zst hostile.tar.zst", true),
        (&texts, "diff genuine.tar.zst.json hostile.tar.zst.json --files", true),
        (&parts, "verify hostile.tar.zst", false),
        (&parts, "fetch hostile.tar.zst --out fetched", false),
        (&["/artifact/file"], "verify hostile.tar.zst", false),
        (&["/format"], "list --parts hostile.tar.zst", true),
        (&["/platform"], "fetch hostile.tar.zst --to fetched-folder", true),
    ];
    for (hostile, line, shown) in cases {
        for json in ["", " --json"] {
            spoil(hostile);
            let text = desk.run_with(&format!("{line}{json}"), &in_github);
            assert_harmless(&text);
            assert!(!shown || text.contains("set-output"), "{text}");
            let _ = fs::remove_file(desk.path("fetched"));
        }
    }
    for line in ["list names.tar", "list names.tar --json", "verify names.tar", "extract names.tar --to here"] {
        let text = desk.run_with(line, &in_github);
        assert_harmless(&text);
        assert!(text.contains("set-output"), "{text}");
    }
}
