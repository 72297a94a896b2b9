//! Settings from three origins, and the lines that are logged of them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use extension::setting_keys::{self as keys, SETTING_KEYS};
use extension::{
    AllowedExtension, DebugMode, LoaderSettings, SettingOrigin, SettingSources, UserFolders, lines_of_settings,
    looking_for_extensions,
};
use vocab::{Environment, Exit, Fault};

fn sources(settings: &[(&str, &str)], properties: &[(&str, &str)], variables: &[(&str, &str)]) -> SettingSources {
    let map =
        |rows: &[(&str, &str)]| rows.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let environment = Environment::new(variables.iter().map(|(name, value)| ((*name).into(), (*value).into())));
    SettingSources { settings: map(settings), properties: map(properties), environment }
}

fn user() -> UserFolders<'static> {
    UserFolders { home: Some(Path::new("/home/me")), data: Some(Path::new("/data")) }
}

fn read(sources: &SettingSources) -> LoaderSettings {
    LoaderSettings::read(sources, user()).unwrap()
}

/// Two valid values of a setting.
fn values(key: &str) -> [&'static str; 2] {
    match key {
        "pysdk.pel.miniforgeDir" | "pysdk.pel.distLoc" | "pysdk.pel.resourceLoc" | "pysdk.pel.extLoc" => ["/a b", "/c"],
        "pysdk.debugMode" => ["ALL", "OPERATOR"],
        "pysdk.pel.server.minPort" | "pysdk.pel.server.maxPort" => ["5000", "6000"],
        "pysdk.pel.server.idleShutdown" | "loader.lockTimeout" | "loader.maxExtractBytes" => ["7", "8"],
        "loader.startTimeout" | "loader.runTimeout" | "loader.maxBody" | "loader.maxServers" | "loader.handleTtl" => {
            ["7", "8"]
        }
        "loader.cacheDir" => ["/a b", "/c"],
        "loader.tableCodec" => ["arrow", "json"],
        "python_sdk.security.extensions.whitelist" | "loader.trustedKeys" | "loader.passEnvVars" => ["a", "b"],
        "loader.profile" => ["classic", "studio:1"],
        "loader.verify" => ["fast", "none"],
        "loader.hostVersion" => ["1.0", "2.0"],
        _ => ["true", "yes"],
    }
}

/// PEL 49
#[test]
fn l3_of_three_origins_the_first_that_says_something_counts() {
    for setting in SETTING_KEYS {
        let [one, two] = values(setting.key);
        let found = |sources: &SettingSources| {
            let row = read(sources).rows.into_iter().find(|row| row.key == setting.key).unwrap();
            (row.value, row.origin)
        };
        let (key, variable) = (setting.key, setting.variable);
        let cases = [
            (sources(&[(key, one)], &[(key, two)], &[(variable, two)]), one, SettingOrigin::Settings),
            (sources(&[(key, "")], &[(key, one)], &[(variable, two)]), one, SettingOrigin::Property),
            (sources(&[], &[(key, "")], &[(variable, one)]), one, SettingOrigin::Environment),
        ];
        for (sources, value, origin) in &cases {
            assert_eq!(found(sources), ((*value).to_owned(), *origin), "for {key}");
            assert_eq!(sources.warnings(), [], "for {key}");
        }
        assert_eq!(found(&sources(&[], &[], &[(variable, "")])).1, SettingOrigin::Default, "for {key}");
    }
    let keys: Vec<_> = read(&SettingSources::default()).rows.into_iter().map(|row| row.key).collect();
    assert!(SETTING_KEYS.iter().all(|setting| keys.iter().filter(|key| **key == setting.key).count() == 1), "{keys:?}");
}

/// PEL 50
#[test]
fn l3_the_irregular_variable_and_what_nobody_reads() {
    let regular = sources(&[], &[], &[("PYSDK_PEL_SKIP_PYTHON_DIST_REGISTRATION", "1")]);
    assert!(read(&regular).skip_registration.value);
    let told = |sources: &SettingSources| -> Vec<_> {
        sources.warnings().into_iter().map(|it| (it.code, it.place, it.hint.unwrap_or_default())).collect()
    };
    let place = "PYSDK_PEL_SKIP_PYTHON_DIST_REGISTRATION".to_owned();
    let hint = "rename it to PYSDK_PEL_SKIP_DIST_REGISTRATION".to_owned();
    assert_eq!(told(&regular), [("W_SETTING_SPELLING", place, hint)]);

    let typing = sources(&[("pysdk.pel.airgapped", "1"), ("other.key", "1")], &[], &[("PYSDK_PEL_AIRGAPPED", "1")]);
    assert!(!read(&typing).air_gapped.value);
    let [(code, place, hint), (_, variable, other)] = &told(&typing)[..] else { panic!("{:?}", typing.warnings()) };
    assert_eq!(
        (*code, &**place, &**hint),
        ("W_SETTING_UNKNOWN", "pysdk.pel.airgapped", "did you mean pysdk.pel.airGapped?")
    );
    assert_eq!((&**variable, &**other), ("PYSDK_PEL_AIRGAPPED", "did you mean PYSDK_PEL_AIR_GAPPED?"));
}

/// On Windows with the drive in front.
fn absolute(path: &str) -> PathBuf {
    std::path::absolute(path).unwrap()
}

/// PEL 51
#[test]
fn pel_51_the_public_lines_are_logged_byte_for_byte_and_only_when_something_was_set() {
    assert_eq!(lines_of_settings(&read(&SettingSources::default())), [""; 0]);
    let all = sources(
        &[
            ("pysdk.pel.disableMiniforge", "true"),
            ("pysdk.pel.miniforgeDir", "/path/to/miniforge"),
            ("pysdk.pel.airGapped", "TRUE"),
        ],
        &[("pysdk.pel.resourceLoc", "/path/to/py-resource-loc")],
        &[("PYSDK_PEL_DIST_LOC", "/path/to/py-dists"), ("PYSDK_PEL_EXT_LOC", "/path/to/py-extensions")],
    );
    let settings = read(&all);
    assert_eq!(
        lines_of_settings(&settings),
        [
            "INFO: Disabled Python distribution Miniforge usage".to_owned(),
            format!("INFO: Set Miniforge directory to {}", absolute("/path/to/miniforge").display()),
            "INFO: Set Python distribution to air-gapped mode".to_owned(),
            format!("INFO: Set Python resource lookup directory to {}", absolute("/path/to/py-resource-loc").display()),
            format!("INFO: Set Python distribution lookup directory to {}", absolute("/path/to/py-dists").display()),
        ]
    );
    let line = looking_for_extensions(&settings.extensions.value[0]);
    assert_eq!(
        line,
        format!("INFO: Looking for Python extensions in {}", absolute("/path/to/py-extensions").display())
    );
    assert_eq!(extension::FAILED_TO_LOAD, "Failed to load Python extensions");
    let off = sources(&[("pysdk.pel.disableMiniforge", "false"), ("pysdk.pel.airGapped", "no")], &[], &[]);
    assert_eq!(lines_of_settings(&read(&off)), [""; 0]);
}

/// PEL 52
#[test]
fn pel_52_values_that_make_no_sense_name_their_key_and_origin() {
    let cases = [
        ("pysdk.pel.airGapped", "maybe", "true, false, 1, 0, yes or no is expected"),
        ("pysdk.pel.server.minPort", "0", "a whole number from 1 to 65535 is expected"),
        ("pysdk.pel.server.maxPort", "70000", "a whole number from 1 to 65535 is expected"),
        ("pysdk.pel.server.maxPort", "1023", "without pysdk.pel.server.minPort the lowest port is 1024"),
        ("pysdk.pel.server.idleShutdown", "-1", "a whole number from 0 to 604800 is expected"),
        ("pysdk.debugMode", "SOME", "NONE, OPERATOR or ALL is expected"),
        ("loader.profile", "studio", "pydist, classic or studio:VERSION is expected"),
        ("python_sdk.security.extensions.whitelist", "a[", "namespaces between commas"),
    ];
    for (key, value, expected) in cases {
        let error = LoaderSettings::read(&sources(&[], &[(key, value)], &[]), user()).unwrap_err();
        assert_eq!((error.code(), error.exit()), ("E_SETTING", Exit::Usage));
        let text = error.to_string();
        assert!(text.starts_with(&format!("the setting `{key}` is `{value}` (property): {expected}")), "{text}");
    }
    let crossed = sources(&[(keys::MIN_PORT.key, "6000"), (keys::MAX_PORT.key, "5000")], &[], &[]);
    let error = LoaderSettings::read(&crossed, user()).unwrap_err().to_string();
    assert_eq!(
        error,
        "the setting `pysdk.pel.server.minPort` is `6000` (settings): it is above pysdk.pel.server.maxPort (5000)"
    );
}

#[test]
fn values_are_read_as_the_page_says() {
    let settings = read(&sources(
        &[
            (keys::EXT_LOC.key, "~/my extensions"),
            (keys::DEBUG_MODE.key, "all"),
            (keys::MIN_PORT.key, "5000"),
            (keys::IDLE_SHUTDOWN.key, "0"),
            (keys::ALLOW_LIST.key, "py_a[1.0], b"),
        ],
        &[],
        &[],
    ));
    assert_eq!(settings.extensions.value, [absolute("/home/me/my extensions")]);
    assert_eq!((settings.debug_mode.value, settings.ports), (DebugMode::All, Some((5000, 65_535))));
    assert_eq!(settings.idle_shutdown.value, None);
    let allowed = |namespace: &str, version: Option<&str>| AllowedExtension {
        namespace: namespace.to_owned(),
        version: version.map(str::to_owned),
    };
    assert_eq!(settings.allow_list, Some(vec![allowed("a", Some("1.0")), allowed("b", None)]));
    let defaults = read(&SettingSources::default());
    assert_eq!(defaults.idle_shutdown.value, Some(Duration::from_secs(600)));
    assert_eq!(defaults.folders(), Some((Path::new("/data/dists"), Path::new("/data/resources"))));
    let nowhere = LoaderSettings::read(&SettingSources::default(), UserFolders::default()).unwrap();
    assert_eq!((nowhere.folders(), nowhere.extensions.value.len()), (None, 0));
}

#[test]
fn a_settings_file_is_toml_and_says_what_is_wrong_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("loader.toml");
    std::fs::write(&path, "[settings]\n\"pysdk.pel.airGapped\" = true\n\"pysdk.pel.server.minPort\" = 5000\n").unwrap();
    let settings = SettingSources { settings: SettingSources::read_file(&path).unwrap(), ..SettingSources::default() };
    let settings = read(&settings);
    assert!(settings.air_gapped.value && settings.ports == Some((5000, 65_535)));
    for (text, words) in [
        ("[settings]\npysdk.pel.airGapped = true\n", "in quotes"),
        ("[", "cannot be used"),
        ("\u{fffd}=", "cannot be used"),
    ] {
        std::fs::write(&path, text).unwrap();
        let error = SettingSources::read_file(&path).unwrap_err();
        assert!(error.to_string().contains(words) && error.code() == "E_SETTING", "{error}");
    }
    assert!(SettingSources::read_file(&folder.path().join("absent")).unwrap_err().to_string().contains("no such file"));
}
