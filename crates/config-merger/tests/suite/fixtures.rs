//! The valid configurations of `fixtures/config/`.

use config_merger::{Config, LoadOptions, Repository};
use vocab::PlatformKey;

use crate::bad_input::{fixtures, folders};
use crate::support::{Case, STRICT};

#[test]
fn every_valid_fixture_loads_without_a_warning_and_keeps_its_canonical_text() {
    for folder in folders("valid") {
        let name = folder.file_name().unwrap().to_str().unwrap();
        let repository = Repository::at(&folder);
        let loaded = config_merger::load(&repository, &repository.version("3.12.10").unwrap(), &STRICT);
        let loaded = loaded.unwrap_or_else(|faults| panic!("{name}:\n{faults}"));
        insta::assert_snapshot!(format!("valid-{name}"), loaded.canonical);

        // Merged again it is the same; all that it says is in the text.
        let case = Case::empty().file("shared-config.json", &loaded.canonical);
        let again = case.load(LoadOptions::default()).unwrap();
        assert_eq!(again.canonical, loaded.canonical, "for {name}");
        assert_eq!(again.digest, loaded.digest, "for {name}");
    }
}

#[test]
fn the_kinds_of_runtimes_that_people_publish_load_without_a_warning() {
    let repository = Repository::at(fixtures().join("kinds"));
    let mut told = String::new();
    for version in repository.versions() {
        let loaded = config_merger::load(&repository, &version, &STRICT);
        let config = loaded.unwrap_or_else(|faults| panic!("{version}:\n{faults}")).config;
        told.push_str(&format!("{version}\n"));
        for platform in PlatformKey::ALL {
            told.push_str(&told_for(&config, platform));
        }
    }
    insta::assert_snapshot!("kinds", told);
}

/// What a platform gets, one line for each requirement and one for the policy.
fn told_for(config: &Config, platform: PlatformKey) -> String {
    let mut told = format!("  {platform}\n");
    for requirement in config.dependencies_for(platform) {
        let name = &requirement.name;
        let mut rules: Vec<String> = Vec::new();
        rules.extend(config.skip_reason(name, platform).map(|reason| format!("skip: {reason}")));
        rules.extend(config.build_wheel_for(name, platform).map(|rule| {
            format!("build a wheel: {} {:?} {:?}", rule.reason, rule.build_requires, rule.config_settings)
        }));
        rules.extend(config.packages.no_deps.contains(name).then(|| "alone".to_owned()));
        let rules = if rules.is_empty() { String::new() } else { format!("  ({})", rules.join("; ")) };
        told.push_str(&format!("    {requirement}{rules}\n", requirement = requirement.text));
    }
    let policy = config.policy(platform);
    let strict = policy.strict_missing.map_or("unset".to_owned(), |strict| strict.to_string());
    let switches = format!("allowSourceAll {}, strictMissing {strict}", policy.allow_source_all);
    let lists = [
        ("allow", &policy.allow_source_list),
        ("force", &policy.force_no_binary_list),
        ("only binary", &policy.only_binary_list),
    ];
    let lists: Vec<String> =
        lists.iter().flat_map(|(list, names)| names.iter().map(move |name| format!(", {list} {name}"))).collect();
    told + &format!("    policy: {switches}{}\n", lists.concat())
}
