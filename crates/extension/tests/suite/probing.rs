//! Which archive or folder is found under which name.

use std::path::{Path, PathBuf};

use extension::{
    DistributionId, DistributionMode, FolderNames, InstalledLook, LoaderSettings, Machine, Probe, ProbeInput,
    SettingSources, UserFolders, ZipFacts, clashes, decide, probe,
};
use vocab::{Fault, PlatformKey};

use crate::zips::Folder;

struct Site {
    folder: Folder,
    settings: Vec<(&'static str, &'static str)>,
    zips: Vec<ZipFacts>,
    installed: Option<PathBuf>,
    environment: Option<PathBuf>,
}

impl Site {
    /// Files of the resource folder, and folders of the distribution folder.
    fn new(resources: &[&str], distributions: &[&str]) -> Self {
        let folder = Folder::new();
        for name in resources {
            folder.write(&format!("resources/{name}"), "x");
        }
        for name in distributions {
            folder.write(&format!("dists/{name}/bin/python3"), "x");
        }
        Self { folder, settings: Vec::new(), zips: Vec::new(), installed: None, environment: None }
    }

    fn on(&self, platform: PlatformKey, id: &str) -> Probe {
        let settings = self.settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let sources = SettingSources { settings, ..SettingSources::default() };
        let settings = LoaderSettings::read(&sources, UserFolders::default()).unwrap();
        let installed = |_: &DistributionId| InstalledLook {
            looked: self.installed.iter().cloned().collect(),
            found: self.installed.clone(),
        };
        let input = ProbeInput {
            settings: &settings,
            machine: &Machine::of(platform),
            resources: &FolderNames::read(&self.folder.path().join("resources")),
            distributions: &FolderNames::read(&self.folder.path().join("dists")),
            zips: &self.zips,
            installed: &installed,
            environment: self.environment.as_deref(),
        };
        probe(&id.parse().unwrap(), &input)
    }

    fn archive(&self, platform: PlatformKey, id: &str) -> Option<String> {
        let found = self.on(platform, id).archive?;
        Some(found.path.file_name().unwrap().to_string_lossy().into_owned())
    }
}

fn folder_name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

const LINUX: PlatformKey = PlatformKey::LinuxX64;

/// PEL 3, PEL 4
#[test]
fn pel_3_the_archive_of_an_id_and_the_folder_it_goes_to() {
    let site = Site::new(&["pydist-custom-1.0.0-linux.zip", "pydist-custom-linux.tar.gz"], &[]);
    assert_eq!(site.archive(LINUX, "custom:1.0.0").as_deref(), Some("pydist-custom-1.0.0-linux.zip"));
    assert_eq!(folder_name(&site.on(LINUX, "custom:1.0.0").target), "custom-1.0.0");
    assert_eq!(site.archive(LINUX, "custom").as_deref(), Some("pydist-custom-linux.tar.gz"));
    assert_eq!(folder_name(&site.on(LINUX, "custom").target), "custom");
}

/// PEL 5
#[test]
fn pel_5_of_several_formats_the_first_is_used_and_the_others_are_named() {
    let site = Site::new(&["pydist-k-linux.zip", "pydist-k-linux.tar", "pydist-k-linux.tar.gz"], &[]);
    let probe = site.on(LINUX, "k");
    assert_eq!(folder_name(&probe.archive.unwrap().path), "pydist-k-linux.tar");
    let [warning] = &probe.warnings[..] else { panic!("{:?}", probe.warnings) };
    assert_eq!(warning.text, "it is used, and not pydist-k-linux.tar.gz, pydist-k-linux.zip");
}

/// PEL 6
#[test]
fn pel_6_an_archive_for_another_system_is_none_and_every_name_that_was_tried_is_told() {
    let site = Site::new(&["pydist-custom-1.0.0-macos.tar.gz", "PYDIST-custom-1.0.0-linux.zip"], &[]);
    let probe = site.on(LINUX, "custom:1.0.0");
    assert_eq!((probe.facts.archive, decide(probe.facts).row), (false, 8));
    let tried: Vec<_> = probe.looks.iter().filter(|look| look.fact == 'R').map(|look| look.at.clone()).collect();
    assert!(tried.iter().any(|at| at.ends_with("pydist-custom-1.0.0-linux.tar.gz")), "{tried:?}");
    assert!(tried.iter().all(|at| at.contains("-linux")), "{tried:?}");
}

/// PEL 8
#[test]
fn pel_8_an_archive_for_the_processor_comes_first() {
    let site = Site::new(&["pydist-k-linux-x86_64.zip", "pydist-k-linux.tar"], &[]);
    assert_eq!(site.archive(LINUX, "k").as_deref(), Some("pydist-k-linux-x86_64.zip"));
    assert_eq!(site.archive(PlatformKey::LinuxAarch64, "k").as_deref(), Some("pydist-k-linux.tar"));
    assert!(site.on(LINUX, "k").warnings.is_empty());
}

/// PEL 9, PEL 10
#[test]
fn pel_9_the_latest_is_without_a_version_or_the_highest() {
    let chosen = |resources: &[&str], folders: &[&str]| {
        let probe = Site::new(resources, folders).on(LINUX, "k");
        (probe.id.to_string(), probe.facts.archive, probe.facts.folder)
    };
    let told = |id: &str, archive, folder| (id.to_owned(), archive, folder);
    assert_eq!(chosen(&[], &["k-1.9", "k-1.10", "k-2.0rc1"]), told("k:1.10", false, true));
    assert_eq!(chosen(&[], &["k-1.9", "k-1.10", "k"]), told("k", false, true));
    assert_eq!(chosen(&[], &["k-2.0rc1"]), told("k:2.0rc1", false, true));
    assert_eq!(chosen(&["pydist-k-1.11-linux-x86_64.zip"], &["k-1.10"]), told("k:1.11", true, false));
    assert_eq!(chosen(&["pydist-k-1.11-macos.zip"], &["k-1.10"]), told("k:1.10", false, true));
    // PEL 10: another key
    assert_eq!(chosen(&["pydist-k-extra-1.0-linux.zip"], &["k-extra-1.0"]), told("k", false, false));
}

/// PEL 11
#[test]
fn pel_11_two_hyphens_are_accepted_with_a_warning() {
    let site = Site::new(&["pydist-k--linux.zip"], &[]);
    let probe = site.on(LINUX, "k");
    assert_eq!(folder_name(&probe.archive.unwrap().path), "pydist-k--linux.zip");
    assert_eq!(probe.warnings[0].code, "W_DIST_NAME");
}

/// PEL 12
#[test]
fn pel_12_two_ids_with_one_folder_clash() {
    let ids: Vec<DistributionId> = ["a-1", "a:1", "b:1", "a:1"].map(|id| id.parse().unwrap()).into();
    let [clash, _] = &clashes(&ids)[..] else { panic!("found {:?}", clashes(&ids)) };
    assert_eq!(clash.to_string(), "the distributions a-1 and a:1 have the same folder `a-1`");
    assert_eq!(clash.code(), "E_ENV_CLASH");
}

/// PEL 13, as far as facts go: an environment that was created is packages enough.
#[test]
fn pel_13_air_gapped_an_environment_that_is_there_is_an_offline_source() {
    let mut site = Site::new(&["pydist-k-1-linux.zip"], &["k-1"]);
    site.settings = vec![("pysdk.pel.airGapped", "true")];
    site.zips = vec![ZipFacts { path: "a.zip".into(), has_env_yml: true, offline_subdirs: Vec::new() }];
    let decided = |site: &Site| decide(site.on(LINUX, "k:1").facts);
    assert_eq!(decided(&site).row, 3, "without one the archive is used");
    site.environment = Some("/environments/k-1".into());
    assert_eq!((decided(&site).row, decided(&site).outcome), (2, Ok(DistributionMode::CondaOffline)));
    let looks = site.on(LINUX, "k:1").looks;
    let look = looks.iter().find(|look| look.at == "/environments/k-1").unwrap();
    assert_eq!((look.fact, look.found), ('I', true));
}

/// PEL 14, as far as facts go.
#[test]
fn pel_14_packages_for_another_system_are_no_offline_source() {
    let mut site = Site::new(&["pydist-k-1-linux.zip"], &[]);
    site.settings = vec![("pysdk.pel.airGapped", "true")];
    let mut zip = ZipFacts { path: "a.zip".into(), has_env_yml: true, offline_subdirs: vec!["win-64".to_owned()] };
    site.zips = vec![zip.clone()];
    let row = |site: &Site, id: &str| decide(site.on(LINUX, id).facts).row;
    assert_eq!((row(&site, "k:1"), row(&site, "other")), (3, 5));
    zip.offline_subdirs.push("linux-64".to_owned());
    site.zips = vec![zip];
    assert_eq!(row(&site, "k:1"), 2);
    site.zips[0].offline_subdirs.clear();
    site.folder.write("resources/pydist-channel-k-1-linux/channel/osx-64/repodata.json", "{}");
    assert_eq!(row(&site, "k:1"), 3);
    site.folder.write("resources/pydist-channel-k-1-linux/channel/linux-64/repodata.json", "{}");
    assert_eq!(row(&site, "k:1"), 2);
}

/// L4, as far as facts go.
#[test]
fn l4_what_pydist_get_installed_is_a_folder_that_is_ready() {
    let mut site = Site::new(&[], &[]);
    site.installed = Some("/runtimes/3.12.10-atls-0123".into());
    let probe = site.on(LINUX, "3.12.10-atls");
    let decision = decide(probe.facts);
    assert_eq!((decision.row, decision.outcome), (7, Ok(DistributionMode::Local)));
    assert_eq!(probe.folder, site.installed);
}
