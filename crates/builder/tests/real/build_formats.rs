//! The artifacts of one build: several formats, their levels, the parts they are made of.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use vocab::{Digest, Manifest};

use crate::support::{self, Bench, QUICKEST, Run, rich_bench, rich_packages};

const ALL: &str = "tar.zst,tar.gz,tar,zip";

fn bench() -> Bench {
    let bench = rich_bench();
    bench.packages(rich_packages("1.0"));
    // A test that packs does not take what another one packed.
    let parts = bench.path("store/parts");
    fs::remove_file(&parts).unwrap();
    fs::create_dir(&parts).unwrap();
    bench
}

fn artifacts(run: &Run) -> Vec<PathBuf> {
    run.product()["artifacts"].as_array().unwrap().iter().map(|path| path.as_str().unwrap().into()).collect()
}

fn manifest_of(artifact: &Path) -> Manifest {
    archive::read_manifest(&fs::read(format!("{}.json", artifact.display())).unwrap()).unwrap()
}

/// Links are followed: in a zip each is a copy of what it leads to.
fn content(folder: &Path) -> BTreeMap<String, Digest> {
    let files = walkdir::WalkDir::new(folder).follow_links(true).into_iter().map(Result::unwrap);
    let files = files.filter(|entry| entry.file_type().is_file());
    let row = |entry: walkdir::DirEntry| {
        let path = entry.path().strip_prefix(folder).unwrap().display().to_string();
        (path, Digest::of(fs::read(entry.path()).unwrap()))
    };
    files.map(row).collect()
}

#[test]
fn one_build_gives_every_format_with_the_same_tree_and_a_manifest_each() {
    let bench = bench();
    let options = [&["--format", ALL], &QUICKEST[..]].concat();
    let run = bench.build_with(&options);
    let expected = content(&bench.prefix());
    let mut identities = Vec::new();
    for (artifact, format) in artifacts(&run).iter().zip(ALL.split(',')) {
        assert!(artifact.to_str().unwrap().ends_with(&format!(".{format}")), "{}", artifact.display());
        let manifest = manifest_of(artifact);
        archive::verify(artifact, &manifest).unwrap();
        let unpacked = bench.path(format);
        archive::extract(artifact, &unpacked, &archive::ExtractOptions::default()).unwrap();
        assert_eq!(content(&unpacked), expected, "{format}");
        let parts = manifest.artifact.unwrap().parts;
        identities.push(parts.iter().map(|part| (part.content.clone(), part.identity)).collect::<Vec<_>>());
    }
    assert_eq!(identities.len(), 4);
    assert!(identities.iter().all(|parts| *parts == identities[0] && parts.iter().all(|part| part.1.is_some())));
    assert!(!bench.build_with(&options).built(), "all of them are up to date");
    let of_one = [&["--format", "tar.zst"], &QUICKEST[..]].concat();
    assert!(!bench.build_with(&of_one).built(), "so is one of them");
    assert!(bench.build_with(&["--format", "tar.zst"]).built(), "another level is another artifact");
}

/// case platform-zip-not-same-bytes, attack 10
#[test]
fn bytes_and_modes_depend_on_neither_threads_nor_umask_nor_what_is_cached() {
    let bench = bench();
    let mut first: Option<Vec<Digest>> = None;
    for (jobs, umask) in [("1", "022"), ("2", "000"), ("7", "077")] {
        // What there is of packed parts is of this round.
        support::remove(&bench.path("store/parts"));
        let command = bench.command(&[&["3.14.6", "--format", ALL, "--jobs", jobs], &QUICKEST[..]].concat());
        let mut under = std::process::Command::new("sh");
        under.args(["-c", "umask \"$0\"; exec \"$@\"", umask]).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => under.env(name, value),
                None => under.env_remove(name),
            };
        }
        if let Some(folder) = command.get_current_dir() {
            under.current_dir(folder);
        }
        let run = support::run(&mut under);
        assert!(run.code == 0 && run.built(), "{}", run.told());
        let digests: Vec<Digest> =
            artifacts(&run).iter().map(|artifact| Digest::of(fs::read(artifact).unwrap())).collect();
        assert_eq!(first.get_or_insert_with(|| digests.clone()), &digests, "--jobs {jobs} under {umask}");

        for entry in walkdir::WalkDir::new(bench.prefix()).into_iter().map(Result::unwrap) {
            let mode = entry.metadata().unwrap().permissions().mode() & 0o7777;
            let kind = entry.file_type();
            // What prefixes share with the store is read-only.
            let allowed = if kind.is_dir() { vec![0o755] } else { vec![0o644, 0o755, 0o444, 0o555] };
            assert!(kind.is_symlink() || allowed.contains(&mode), "{mode:o} {} under {umask}", entry.path().display());
        }
        support::remove(&bench.prefix());
        artifacts(&run).iter().for_each(|artifact| fs::remove_file(artifact).unwrap());
    }
}

/// attack 9
#[test]
fn what_a_killed_build_left_beside_artifacts_is_swept_by_the_next_and_by_clean() {
    let bench = bench();
    let dist = bench.build().artifact().parent().unwrap().to_owned();
    let left = [".pack-0123456789abcdef", ".manifest-0123456789ABCDEF"];
    let foreign = [".pack-notes", "notes.pack-0123456789abcdef"];
    let there = |name: &&str| dist.join(name).exists();
    foreign.iter().for_each(|name| fs::write(dist.join(name), "mine").unwrap());
    for arguments in [&["3.14.6"][..], &["clean"]] {
        left.iter().for_each(|name| fs::write(dist.join(name), "half").unwrap());
        assert_eq!(bench.run(arguments).code, 0);
        assert!(!left.iter().any(&there), "{arguments:?}");
        assert!(foreign.iter().all(&there), "{arguments:?}");
    }
}

/// attack 9
#[test]
fn an_artifact_beside_the_manifest_of_another_is_refused_and_made_anew() {
    let bench = bench();
    let artifact = bench.build_with(&["--format", "tar"]).artifact();
    let made = fs::read(&artifact).unwrap();
    for what in ["another artifact", "no manifest"] {
        if what == "no manifest" {
            fs::remove_file(format!("{}.json", artifact.display())).unwrap();
        } else {
            // As many bytes, and other ones in the runtime's own manifest, which is the last part.
            let part = manifest_of(&artifact).artifact.unwrap().parts.pop().unwrap();
            let mut other = made.clone();
            other[(part.offset + part.size / 2) as usize] ^= 1;
            fs::write(&artifact, other).unwrap();
            archive::verify(&artifact, &manifest_of(&artifact)).unwrap_err();
        }
        let run = bench.build_with(&["--format", "tar"]);
        assert!(run.built(), "{what}");
        archive::verify(&artifact, &manifest_of(&artifact)).unwrap();
        assert!(fs::read(&artifact).unwrap() == made, "{what}");
        assert!(!bench.build_with(&["--format", "tar"]).built(), "{what}");
    }
}

#[test]
fn parts_packed_before_give_the_same_bytes_and_damaged_ones_are_made_anew() {
    let bench = bench();
    let options = [&["--format", "tar.zst,tar.gz,zip"], &QUICKEST[..]].concat();
    let first = bench.build_with(&options);
    let digests = || -> Vec<Digest> {
        artifacts(&first).iter().map(|artifact| Digest::of(fs::read(artifact).unwrap())).collect()
    };
    let expected = digests();
    let parts: Vec<PathBuf> = walkdir::WalkDir::new(bench.path("store/parts"))
        .into_iter()
        .map(Result::unwrap)
        .filter(|entry| entry.file_type().is_file())
        .map(walkdir::DirEntry::into_path)
        .collect();
    assert!(parts.len() >= 4, "{parts:?}");
    let forget_product = || {
        fs::remove_dir_all(bench.prefix()).unwrap();
        artifacts(&first).iter().for_each(|artifact| fs::remove_file(artifact).unwrap());
    };

    forget_product();
    assert!(bench.build_with(&options).built());
    assert_eq!(digests(), expected, "from cached parts");

    for part in &parts {
        let mut bytes = fs::read(part).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::remove_file(part).unwrap();
        fs::write(part, bytes).unwrap();
    }
    forget_product();
    assert!(bench.build_with(&options).built());
    assert_eq!(digests(), expected, "from damaged parts");
    let left: Vec<_> = fs::read_dir(artifacts(&first)[0].parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with('.'))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}
