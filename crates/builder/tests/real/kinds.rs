//! The kinds of configuration that people publish, resolved for all five platforms by the real builder and the real uv
//! against an index on loopback: what the rules of the resolution policy make of each, platform by platform. The
//! configurations are those of `fixtures/config/kinds`, with small packages in place of the real ones.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};
use testkit::{FixtureFile, FixtureIndex, GitRepository, SdistBuilder, WheelBuilder};
use vocab::PlatformKey;

use crate::support::{Bench, PYTHON, host};

/// One wheel for each of these platforms.
fn wheels(name: &str, version: &str, platforms: &[PlatformKey]) -> Vec<FixtureFile> {
    let tag = |platform: &PlatformKey| match platform {
        PlatformKey::LinuxX64 => "manylinux_2_28_x86_64",
        PlatformKey::LinuxAarch64 => "manylinux_2_28_aarch64",
        PlatformKey::MacosxX64 => "macosx_11_0_x86_64",
        PlatformKey::MacosxAarch64 => "macosx_11_0_arm64",
        PlatformKey::WindowsX64 => "win_amd64",
    };
    let wheel = |platform| WheelBuilder::new(name, version).tag(&format!("cp314-cp314-{}", tag(platform))).build();
    platforms.iter().map(wheel).collect()
}

fn index() -> FixtureIndex {
    use PlatformKey::{LinuxAarch64, LinuxX64, MacosxAarch64, MacosxX64, WindowsX64};
    let without_windows = [LinuxX64, LinuxAarch64, MacosxX64, MacosxAarch64];
    let files = [
        wheels("numpy", "2.2.6", &PlatformKey::ALL),
        wheels("torch", "2.7.0+cu126", &[LinuxX64, WindowsX64]),
        wheels("torch", "2.7.0", &PlatformKey::ALL),
        wheels("cudf-cu12", "25.6.0", &[LinuxX64, LinuxAarch64]),
        wheels("louvain", "0.8.2", &without_windows),
        // Where a rule compiles it, its wheel counts for nothing.
        wheels("h5py", "3.13.0", &PlatformKey::ALL),
        wheels("openmm", "8.2.0", &PlatformKey::ALL),
        wheels("pdbfixer", "1.11", &[MacosxX64]),
        ["louvain", "h5py", "dssp", "pdbfixer"].map(|name| SdistBuilder::new(name, version_of(name)).build()).to_vec(),
    ];
    let mut index = FixtureIndex::new();
    for file in files.into_iter().flatten() {
        index.add(file);
    }
    index
}

fn version_of(name: &str) -> &'static str {
    match name {
        "louvain" => "0.8.2",
        "h5py" => "3.13.0",
        "dssp" => "1.0",
        _ => "1.11",
    }
}

/// The interpreters of foreign platforms are never unpacked here, so their archives need only be there.
fn python_settings(bench: &Bench) -> Value {
    let archive = bench.path("python.tar.gz");
    fs::write(&archive, "").unwrap();
    let entry = json!({ "url": format!("file://{}", archive.display()), "sha256": vocab::Digest::of("").to_string() });
    let foreign = PlatformKey::ALL.into_iter().filter(|platform| *platform != host());
    let archives: BTreeMap<&str, &Value> = foreign.map(|platform| (platform.as_str(), &entry)).collect();
    json!({ "sources": ["archive", "go-module", "system"], "archives": archives })
}

/// `numpy 2.2.6 wheel`, what is left out as `dssp left-out`; `no rows` where nothing was resolved.
fn rows(bench: &Bench, version: &str, platform: PlatformKey) -> String {
    let text = fs::read_to_string(bench.repository.at(&format!("python-{version}/lock.json"))).unwrap_or_default();
    let lock: Value = serde_json::from_str(&text).unwrap_or_default();
    let Some(rows) = lock["platforms"].get(platform.as_str()) else { return "no rows".to_owned() };
    let installed = rows["distributions"].as_array().unwrap().iter().map(|row| {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        format!("{} {} {}", text(&row["name"]), text(&row["version"]), text(&row["source"]["kind"]))
    });
    let left_out = rows["left_out"].as_array().cloned().unwrap_or_default();
    let left_out =
        left_out.iter().map(|row| format!("{} {}", row["name"].as_str().unwrap(), row["outcome"].as_str().unwrap()));
    installed.chain(left_out).collect::<Vec<_>>().join(", ")
}

struct KindOfConfiguration {
    variant: &'static str,
    /// What it shows.
    rule: &'static str,
    packages: Value,
    /// In the order of `PlatformKey::ALL`.
    expected: [&'static str; 5],
}

fn kinds(git: &GitRepository) -> Vec<KindOfConfiguration> {
    let numpy = "numpy 2.2.6 wheel";
    let with_cuda = "numpy 2.2.6 wheel, torch 2.7.0+cu126 wheel";
    let from_git = "numpy 2.2.6 wheel, parapred-pytorch 1.0 git";
    vec![
        KindOfConfiguration {
            variant: "torch-cuda",
            rule: "a dependency of single platforms, with a local version where there is one (platformSpecific)",
            packages: json!({
                "dependencies": ["numpy==2.2.6"],
                "platformSpecific": {
                    "linux-x64": { "dependencies": ["torch==2.7.0+cu126"] },
                    "windows-x64": { "dependencies": ["torch==2.7.0+cu126"] },
                    "macosx-aarch64": { "dependencies": ["torch==2.7.0"] },
                },
            }),
            expected: [with_cuda, numpy, numpy, "numpy 2.2.6 wheel, torch 2.7.0 wheel", with_cuda],
        },
        KindOfConfiguration {
            variant: "parapred",
            rule: "a git repository without what it depends on, under another spelling (P11)",
            packages: json!({
                "dependencies": ["numpy==2.2.6", format!("Parapred_PyTorch @ {}", git.url(Some(&git.commit)))],
                "noDeps": ["parapred.pytorch"],
                "resolution": { "allowSourceList": ["Parapred_PyTorch"] },
            }),
            expected: [from_git; 5],
        },
        KindOfConfiguration {
            variant: "build-wheel",
            rule: "wheels compiled on single platforms, with settings; wheels elsewhere (step 2)",
            packages: json!({
                "dependencies": ["h5py==3.13.0", "louvain==0.8.2"],
                "buildWheel": {
                    "louvain": { "windows-x64": {
                        "reason": "no wheel is published for it",
                        "buildRequires": ["setuptools>=77", "pycparser"],
                        "configSettings": ["--global-option=--igraph={packageRoot}/igraph"],
                    } },
                    "h5py": { "macosx-aarch64": { "reason": "the published wheel needs a newer macOS" } },
                },
            }),
            expected: [
                "h5py 3.13.0 wheel, louvain 0.8.2 wheel",
                "h5py 3.13.0 wheel, louvain 0.8.2 wheel",
                "h5py 3.13.0 wheel, louvain 0.8.2 wheel",
                "h5py 3.13.0 sdist, louvain 0.8.2 wheel",
                "h5py 3.13.0 wheel, louvain 0.8.2 sdist",
            ],
        },
        KindOfConfiguration {
            variant: "empty",
            rule: "an empty list is really empty (M2, P16)",
            packages: json!({ "dependencies": [] }),
            expected: [""; 5],
        },
        KindOfConfiguration {
            variant: "rapids",
            rule: "added to the shared list; left out platform by platform, shared rules and own (M4, M6, P1)",
            packages: json!({
                "inheritDependencies": true,
                "dependencies": ["cudf-cu12==25.6.0"],
                "skip": { "cudf-cu12": { "linux-aarch64": "the machines there have no such card" } },
            }),
            expected: ["cudf-cu12 25.6.0 wheel, numpy 2.2.6 wheel", numpy, numpy, numpy, numpy],
        },
        KindOfConfiguration {
            variant: "policies",
            rule: "a policy for each platform; unset switches are the general ones (steps 3, 5, 6, 7; M13, M14, P5, P6)",
            packages: json!({
                "dependencies": ["dssp==1.0", "openmm==8.2.0", "pdbfixer==1.11"],
                "resolution": { "allowSourceList": ["pdbfixer"] },
                "platformSpecific": {
                    "linux-aarch64": { "resolution": { "allowSourceAll": true } },
                    "windows-x64": { "resolution": { "strictMissing": false, "onlyBinaryList": ["dssp"] } },
                    "macosx-x64": { "resolution": { "strictMissing": false, "forceNoBinaryList": ["pdbfixer"] } },
                },
            }),
            expected: [
                // dssp has no wheel, its source is not allowed, and the shared strictMissing holds.
                "no rows",
                "dssp 1.0 sdist, openmm 8.2.0 wheel, pdbfixer 1.11 sdist",
                "openmm 8.2.0 wheel, pdbfixer 1.11 sdist, dssp left-out",
                "no rows",
                "openmm 8.2.0 wheel, pdbfixer 1.11 sdist, dssp left-out",
            ],
        },
    ]
}

#[test]
fn published_kinds_of_configuration_resolve_on_every_platform_to_what_their_rules_say() {
    let bench = Bench::with_index(&index());
    let folder = bench.path("Parapred_PyTorch");
    // What it requires is nowhere: only noDeps lets it in.
    SdistBuilder::new("Parapred_PyTorch", "1.0").requires("nowhere==9.9").write_folder(&folder);
    let git = GitRepository::commit_all(&folder);
    bench.repository.shared(&json!({
        "packages": {
            "dependencies": ["numpy==2.2.6"],
            "skip": { "cudf-cu12": {
                "macosx-x64": "no CUDA", "macosx-aarch64": "no CUDA", "windows-x64": "no CUDA on this system",
            } },
            "resolution": { "allowSourceAll": false, "strictMissing": true },
        },
    }));
    let python = python_settings(&bench);
    for kind in kinds(&git) {
        let version = format!("{PYTHON}-{}", kind.variant);
        bench.repository.version(&version, &json!({ "packages": kind.packages, "python": python }));
        let run = bench.run(&["lock", &version, "--platform", "all"]);
        let found = PlatformKey::ALL.map(|platform| rows(&bench, &version, platform));
        assert_eq!(found, kind.expected, "{}: {}\n{}", kind.variant, kind.rule, run.told());
        let refused = kind.expected.contains(&"no rows");
        assert_eq!(refused, run.told().contains("E_NO_WHEEL"), "{}: {}", kind.variant, run.told());
        assert!(!refused || run.code != 0, "{}: {}", kind.variant, run.told());
    }
}
