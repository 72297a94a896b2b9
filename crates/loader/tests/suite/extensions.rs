//! `pydist extension` as people use it: listing, explaining, finding out what is missing.

use std::fs;
use std::path::Path;
use std::process::Command;

use minisign::KeyPair;

use crate::Place;
use crate::site::{PYTHON, Site, assert_refused, told};
use catalogue::Channel;

#[test]
fn a_list_has_every_zip_with_its_state() {
    let site = Site::new();
    let none = format!("no extensions in {}", site.path("ext").display());
    for verb in ["list", "prepare", "verify", "doctor"] {
        let (code, stdout, stderr) = site.run(&[verb]);
        assert_eq!((code, &*stdout, stderr.lines().last()), (0, "", Some(&*none)));
    }
    let absent = site.run(&["list", "--set", "pysdk.pel.extLoc=/no/such/folder"]).2;
    assert!(absent.ends_with("no extensions in /no/such/folder (does not exist)"), "{absent}");
    site.extension("a.zip", "text_tools", "custom:1.0.0", &[]);
    site.write("ext/bad.zip", "x");
    // Whoever asks for all of them learns that one is not ready.
    site.write("dists/custom-1.0.0/bin/python3", PYTHON);
    assert!(
        Command::new("chmod").arg("+x").arg(site.path("dists/custom-1.0.0/bin/python3")).status().unwrap().success()
    );
    let (code, stdout, stderr) = site.run(&["prepare"]);
    assert_eq!((code, stdout), (5, site.path("dists/custom-1.0.0").display().to_string()), "{stderr}");
    assert!(stderr.contains("error[E_EXT_ZIP]") && stderr.contains("bad.zip"), "{stderr}");
    assert_eq!(site.run(&["prepare", "text_tools"]).0, 0);
    let (code, stdout, stderr) = site.run(&["list"]);
    assert_eq!(code, 5);
    assert!(stdout.contains("text_tools") && stdout.contains("custom:1.0.0"), "{stdout}");
    assert!(stdout.contains("bad.zip") && stdout.contains("E_EXT_ZIP"), "{stdout}");
    let line = format!("INFO: Looking for Python extensions in {}", site.path("ext").display());
    assert!(stderr.lines().any(|it| it == line), "{stderr}");
    let lines = site.json(&["list"]);
    assert_eq!((&lines[0]["state"], &lines[0]["operators"][0]), (&"available".into(), &"text_tools:run".into()));
    assert_eq!((&lines[1]["state"], &lines[1]["fault"]["code"]), (&"unavailable".into(), &"E_EXT_ZIP".into()));
}

/// PEL 51
#[test]
fn pel_51_a_folder_that_cannot_be_read_is_the_public_line_of_failure() {
    let site = Site::new();
    let file = site.write("file", "");
    let (_, _, stderr) = site.run(&["list", "-D", &format!("pysdk.pel.extLoc={}", file.display())]);
    assert!(stderr.lines().any(|line| line == "Failed to load Python extensions"), "{stderr}");
    assert!(stderr.contains("W_EXT_FOLDER"), "{stderr}");
}

/// PEL 51
#[test]
fn pel_51_what_was_set_is_logged_in_the_vendors_lines_and_nothing_else() {
    let site = Site::new();
    let said = |words: &[&str]| {
        let mut command = site.command(&[&["list"], words].concat());
        for folder in ["EXT", "RESOURCE", "DIST"] {
            command.env_remove(format!("PYSDK_PEL_{folder}_LOC"));
        }
        let (_, _, stderr) = crate::told(&command.output().unwrap());
        let lines: Vec<String> = stderr.lines().filter(|line| line.starts_with("INFO: ")).map(str::to_owned).collect();
        lines
    };
    let looking = |folder: &str| format!("INFO: Looking for Python extensions in {folder}");
    let own = site.path("home/.local/share/pydist/loader/extensions").display().to_string();
    assert_eq!(said(&[]), [looking(&own)]);
    let all = [
        ("--set", "pysdk.pel.disableMiniforge=true"),
        ("-D", "pysdk.pel.miniforgeDir=/path/to/miniforge"),
        ("--set", "pysdk.pel.airGapped=true"),
        ("-D", "pysdk.pel.resourceLoc=/path/to/py-resource-loc"),
        ("--set", "pysdk.pel.distLoc=/path/to/py-dists"),
        ("--set", "pysdk.pel.extLoc=/path/to/py-extensions"),
    ];
    assert_eq!(
        said(&all.map(|(option, value)| [option, value]).concat()),
        [
            "INFO: Disabled Python distribution Miniforge usage".to_owned(),
            "INFO: Set Miniforge directory to /path/to/miniforge".to_owned(),
            "INFO: Set Python distribution to air-gapped mode".to_owned(),
            "INFO: Set Python resource lookup directory to /path/to/py-resource-loc".to_owned(),
            "INFO: Set Python distribution lookup directory to /path/to/py-dists".to_owned(),
            looking("/path/to/py-extensions"),
        ]
    );
}

#[test]
fn inspect_shows_what_is_in_a_zip_and_judges_all_of_it() {
    let site = Site::new();
    let zip =
        site.extension("a.zip", "text_tools", "custom:1.0.0", &[("env.yml", b"name: x\n"), ("mod/data", b"12345678")]);
    let (code, stdout, _) = site.run(&["inspect", zip.to_str().unwrap()]);
    assert_eq!(code, 0);
    for words in ["text_tools 1.0.0 (Sample)", "env.yml       yes", "text_tools:run () → ", "count: integer = 1"] {
        assert!(stdout.contains(words), "no {words:?} in {stdout}");
    }
    // A byte of a file's content, which no other command reads.
    let mut bytes = fs::read(&zip).unwrap();
    let at = bytes.windows(8).position(|window| window == b"mod/data").unwrap() + 9;
    bytes[at] ^= 0xff;
    fs::write(&zip, bytes).unwrap();
    assert_refused(&site.run(&["inspect", zip.to_str().unwrap()]), 4, &["E_ARCHIVE_CORRUPT", "`mod/data`"]);
}

#[test]
fn resolve_explains_every_fact_with_its_path_and_the_row() {
    let site = Site::new();
    site.extension("a.zip", "text_tools", "custom:1.0.0", &[]);
    let res = site.path("res").display().to_string();
    let (code, stdout, stderr) = site.run(&["resolve", "text_tools", "--explain"]);
    assert!(code == 2 && stderr.contains("E_DIST_NO_ENVYML"), "{stderr}");
    assert!(stderr.contains(&format!("{res}/pydist-custom-1.0.0-linux.zip")), "{stderr}");
    for words in [
        "custom:1.0.0, for text_tools",
        "  K  no  distributions are not registered\n     - pysdk.pel.skipPythonDistRegistration = false",
        "  Y  no  env.yml",
        &format!("  R  no  archive\n     - {res}/pydist-custom-1.0.0-linux-"),
        &format!("     - {}/custom-1.0.0", site.path("dists").display()),
        "row 8: no env.yml, no archive, no folder\n→ not available",
    ] {
        assert!(stdout.contains(words), "no {words:?} in\n{stdout}");
    }
    site.tar("res/pydist-custom-1.0.0-linux.tar.gz", &[("bin/python3", PYTHON.as_bytes())]);
    let (code, stdout, _) = site.run(&["resolve", "text_tools"]);
    let target = site.path("dists/custom-1.0.0");
    assert_eq!(
        (code, stdout),
        (0, format!("archive {res}/pydist-custom-1.0.0-linux.tar.gz, installed as {}", target.display()))
    );
    let line = &site.json(&["resolve", "custom:1.0.0"])[0];
    assert_eq!(
        (&line["row"], &line["outcome"], &line["facts"]["archive"]),
        (&6.into(), &"archive".into(), &true.into())
    );
    assert!(!target.exists(), "nothing was installed");
    assert_refused(&site.run(&["resolve", "a/b"]), 2, &["E_EXT_UNKNOWN", "pydist extension list"]);
}

/// PEL 6
#[test]
fn pel_6_the_error_names_what_was_looked_for_here_and_not_what_is_there_for_another_system() {
    let site = Site::new();
    site.extension("a.zip", "a", "custom:1.0.0", &[]);
    site.tar("res/pydist-custom-1.0.0-macos.tar.gz", &[("bin/python3", PYTHON.as_bytes())]);
    let (code, stdout, stderr) = site.run(&["prepare", "a"]);
    assert_eq!((code, &*stdout), (2, ""), "{stderr}");
    for ending in ["tar", "tar.gz", "zip", "tar.zst"] {
        let looked = site.path(&format!("res/pydist-custom-1.0.0-linux.{ending}"));
        assert!(stderr.contains(&format!("`{}`", looked.display())), "no {ending} in {stderr}");
    }
    assert!(stderr.contains("E_DIST_NO_ENVYML") && !stderr.contains("-macos"), "{stderr}");
}

/// PEL 2, PEL 13
#[test]
fn pel_2_without_registration_there_is_no_distribution_and_without_an_engine_no_environment() {
    let site = Site::new();
    site.extension("a.zip", "a", "k", &[("env.yml", b"name: x\n")]);
    let skip = ["prepare", "a", "-D", "pysdk.pel.skipPythonDistRegistration=true"];
    assert_refused(&site.run(&skip), 2, &["E_DIST_SKIPPED"]);
    // Operators are listed, and do not run.
    let skipped = ["-D", "pysdk.pel.skipPythonDistRegistration=true"];
    assert_eq!(site.json(&[&["list"], &skipped[..]].concat())[0]["operators"][0], "a:run");
    assert_refused(&site.run(&[&["run", "a:run"], &skipped[..]].concat()), 2, &["E_DIST_SKIPPED"]);
    assert_refused(&site.run(&["prepare", "a"]), 2, &["E_ENV_ENGINE", "pysdk.pel.disableMiniforge"]);
    let air = ["prepare", "a", "-D", "pysdk.pel.airGapped=true"];
    assert_refused(&site.run(&air), 2, &["E_DIST_AIRGAP", "pydist-channel-k-linux", "pydist-k-linux.tar.gz"]);
    let off = ["prepare", "a", "-D", "pysdk.pel.disableMiniforge=true"];
    assert_refused(&site.run(&off), 2, &["E_DIST_DISABLED", "pydist extension doctor"]);
}

/// PEL 12, PEL 18
#[test]
fn pel_12_two_ids_with_one_folder_and_two_environments_of_one_id() {
    let site = Site::new();
    site.extension("a.zip", "a", "k-1", &[]);
    site.extension("b.zip", "b", "k:1", &[]);
    assert_refused(&site.run(&["resolve", "a"]), 2, &["E_ENV_CLASH", "k-1", "k:1"]);
    site.extension("c.zip", "c", "e:1", &[("env.yml", b"name: c\n")]);
    site.extension("d.zip", "d", "e:1", &[("env.yml", b"name: d\n")]);
    let (code, _, stderr) = site.run(&["list"]);
    assert!(code == 0 && stderr.contains("W_ENV_CONFLICT"), "{stderr}");
    let (code, stdout, _) = site.run(&["list", "--set", "loader.strict=true"]);
    assert!(code == 5 && stdout.contains("E_ENV_CONFLICT"), "{stdout}");
}

#[test]
fn doctor_says_which_file_under_which_name_in_which_folder() {
    let site = Site::new();
    site.extension("a.zip", "text_tools", "custom:1.0.0", &[]);
    let (code, stdout, _) = site.run(&["doctor"]);
    assert_eq!(code, 5);
    let expected = [
        "text_tools needs custom:1.0.0".to_owned(),
        format!("put one of these files into {}", site.path("res").display()),
        "pydist-custom-1.0.0-linux.tar.gz".to_owned(),
        format!("or a Python that runs from any folder to {}", site.path("dists/custom-1.0.0").display()),
    ];
    for words in &expected {
        assert!(stdout.contains(words), "no {words:?} in\n{stdout}");
    }
    // What it says is what works.
    site.tar("res/pydist-custom-1.0.0-linux.tar.gz", &[("bin/python3", PYTHON.as_bytes())]);
    let (code, stdout, _) = site.run(&["doctor"]);
    assert!(code == 0 && stdout.contains("ok: archive"), "{stdout}");
    let lines = site.json(&["doctor"]);
    assert_eq!(lines[0]["is_available"], true);
    assert!(lines[0]["would_do"]["archives"].as_array().unwrap().len() >= 4);
}

#[test]
fn each_file_and_the_folder_that_doctor_names_for_the_air_gapped_is_enough() {
    let site = Site::new();
    site.extension("a.zip", "text_tools", "custom:1.0.0", &[("env.yml", b"dependencies: [python]\n")]);
    let gapped = ["--set", "pysdk.pel.airGapped=true"];
    let would_do = |expected: i32| {
        let (code, stdout, _) = site.run(&[&["doctor"], &gapped[..]].concat());
        assert_eq!(code, expected, "{stdout}");
        site.json(&[&["doctor"], &gapped[..]].concat())[0]["would_do"].clone()
    };
    let prepared = || -> serde_json::Value {
        let rows = site.json(&[&["prepare", "text_tools"], &gapped[..]].concat());
        rows.into_iter().find(|row| row["event"] == "ready").unwrap()
    };
    let named = would_do(5);
    let files: [(&str, &[u8]); 1] = [("bin/python3", PYTHON.as_bytes())];
    let mut tried = 0;
    for archive in named["archives"].as_array().unwrap() {
        let path = Path::new(archive.as_str().unwrap());
        let below = path.strip_prefix(site.0.path()).unwrap().to_str().unwrap();
        match below {
            _ if below.ends_with(".zip") => site.zip(below, &files),
            _ if below.ends_with(".tar") || below.ends_with(".tar.gz") => site.tar(below, &files),
            // Made by another helper; the same reader.
            _ => continue,
        };
        would_do(0);
        let ready = prepared();
        assert_eq!((&ready["source"], &ready["mode"]), (archive, &"archive".into()), "{ready}");
        fs::remove_file(path).unwrap();
        fs::remove_dir_all(site.path("dists")).unwrap();
        tried += 1;
    }
    assert!(tried >= 6, "with and without the processor: {named}");
    let folder = Path::new(named["folder"].as_str().unwrap());
    let python = site.write(folder.join("bin/python3").strip_prefix(site.0.path()).unwrap().to_str().unwrap(), PYTHON);
    fs::set_permissions(python, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    would_do(0);
    let ready = prepared();
    assert_eq!((Path::new(ready["folder"].as_str().unwrap()), &ready["mode"]), (folder, &"local".into()), "{ready}");
}

/// PEL 47
#[test]
fn pel_47_signatures_are_minisigns() {
    let site = Site::new();
    let zip = site.extension("a.zip", "a", "k", &[]);
    let (pair, other) =
        (KeyPair::generate_unencrypted_keypair().unwrap(), KeyPair::generate_unencrypted_keypair().unwrap());
    let sign = |bytes: &[u8]| {
        let signature = minisign::sign(Some(&pair.pk), &pair.sk, bytes, None, None).unwrap().into_string();
        site.write("ext/a.zip.minisig", signature);
    };
    let states = |key: &KeyPair| {
        let key = format!("loader.trustedKeys={}", key.pk.to_base64());
        let enforce = "python_sdk.security.extensions.enforce_signing=true";
        let shown = site.json(&["list", "--set", &key])[0]["signature"].clone();
        let shown =
            shown.as_str().map_or_else(|| shown.as_object().unwrap().keys().next().unwrap().clone(), str::to_owned);
        let enforced = site.json(&["list", "--set", &key, "--set", enforce])[0]["fault"]["code"].clone();
        (shown, enforced.as_str().unwrap_or("available").to_owned())
    };
    let told = |shown: &str, enforced: &str| (shown.to_owned(), enforced.to_owned());
    assert_eq!(states(&pair), told("unsigned", "E_EXT_UNSIGNED"));
    sign(&fs::read(&zip).unwrap());
    assert_eq!(states(&pair), told("trusted", "available"));
    assert_eq!(states(&other), told("unknown-key", "E_EXT_UNKNOWN_KEY"));
    sign(b"something else");
    assert_eq!(states(&pair), told("bad-signature", "E_EXT_SIGNATURE"));
    fs::remove_file(site.path("ext/a.zip.minisig")).unwrap();
    fs::create_dir(site.path("ext/a.zip.minisig")).unwrap();
    assert_eq!(states(&pair), told("bad-signature", "E_EXT_SIGNATURE"), "it is there and cannot be read");
}

#[test]
fn a_folder_that_cannot_be_listed_is_not_taken_for_an_empty_one() {
    let site = Site::new();
    fs::remove_dir(site.path("res")).unwrap();
    site.write("res", "a file");
    site.write("dists", "a file");
    let (_, _, stderr) = site.run(&["resolve", "custom:1.0.0"]);
    for name in ["res", "dists"] {
        let place = site.path(name).display().to_string();
        let is_it = |line: &&str| line.contains("W_EXT_FOLDER") && line.contains(&place) && line.contains("listed");
        assert!(stderr.lines().any(|line| is_it(&line)), "{stderr}");
    }
    // One that is not there is just empty.
    let none = Site::new();
    assert!(!none.run(&["resolve", "custom:1.0.0"]).2.contains("W_EXT_FOLDER"));
}

#[test]
fn a_key_that_is_none_is_named_with_where_it_was_written() {
    let site = Site::new();
    let file = site.write("loader.toml", "[settings]\n\"loader.trustedKeys\" = \"nonsense\"\n");
    let file = file.to_str().unwrap();
    let rows: [(&[&str], String); 4] = [
        (&["--set", "loader.trustedKeys=RWx"], "--set loader.trustedKeys".to_owned()),
        (&["-D", "loader.trustedKeys=RWx"], "-D loader.trustedKeys".to_owned()),
        (&["--settings", file], format!("loader.trustedKeys in `{file}`")),
        (&[], "PYDIST_LOADER_TRUSTED_KEYS".to_owned()),
    ];
    for (options, place) in rows {
        let mut command = site.command(&[&["list"][..], options].concat());
        let output = command.env("PYDIST_LOADER_TRUSTED_KEYS", "RWx").output().unwrap();
        assert_refused(&told(&output), 2, &["E_GET_PUBLIC_KEY", &format!(": {place}: not a minisign public key")]);
    }
}

#[test]
fn settings_are_shown_with_their_origin_and_typing_errors_are_warned_about() {
    let site = Site::new();
    let file = site.write("loader.toml", "[settings]\n\"pysdk.pel.airGapped\" = true\n\"loader.verify\" = \"fast\"\n");
    let words =
        ["settings", "--settings", file.to_str().unwrap(), "--set", "loader.verify=none", "-D", "pysdk.debugMode=ALL"];
    let mut command = site.command(&words);
    let output = crate::told(&command.env("PYSDK_PEL_AIRGAPED", "1").output().unwrap());
    assert_eq!(output.0, 0);
    let row =
        |key: &str| output.1.lines().find(|line| line.starts_with(key)).unwrap().split_whitespace().collect::<Vec<_>>();
    assert_eq!(row("pysdk.pel.airGapped")[1..3], ["true", "settings"]);
    assert_eq!(row("loader.verify")[1..3], ["none", "settings"]);
    assert_eq!(row("pysdk.debugMode")[1..3], ["ALL", "property"]);
    assert_eq!(row("pysdk.pel.distLoc")[2], "environment");
    assert!(
        output.2.contains("W_SETTING_UNKNOWN") && output.2.contains("did you mean PYSDK_PEL_AIR_GAPPED?"),
        "{}",
        output.2
    );
    assert_refused(&site.run(&["settings", "--set", "loader.verify=maybe"]), 2, &["E_SETTING", "full, fast or none"]);
}

/// L9
#[test]
fn l9_without_a_home_every_folder_is_set_or_there_is_one_error() {
    let site = Site::new();
    site.tar("res/pydist-k-1-linux.tar", &[("bin/python3", PYTHON.as_bytes())]);
    let run = |words: &[&str]| {
        let mut command = site.command(words);
        command.env_remove("HOME").env_remove("COLUMNS").env("TMPDIR", site.path("absent"));
        command
    };
    let (code, stdout, stderr) = crate::told(&run(&["prepare", "k:1"]).output().unwrap());
    assert_eq!((code, Path::new(&stdout)), (0, &*site.path("dists/k-1")), "{stderr}");
    let output = crate::told(&run(&["prepare", "k:1"]).env_remove("PYSDK_PEL_DIST_LOC").output().unwrap());
    assert_refused(&output, 2, &["E_EXT_FOLDERS", "pysdk.pel.distLoc"]);
}

/// L4
#[test]
fn l4_what_get_installed_is_a_distribution_without_a_copy() {
    let mut place = Place::new();
    place.program = Some(("bin/python3".to_owned(), PYTHON.to_owned()));
    place.publish("one", 1, Channel::Stable, false);
    let folder = crate::installed(&place.get(&[]));
    let site = Site::new();
    let home = place.home().display().to_string();
    for id in ["3.12.10-atls", "atls:3.12.10", "atls"] {
        site.extension("a.zip", "a", id, &[]);
        let (code, stdout, stderr) = site.run(&["prepare", "a", "--runtimes", &home]);
        assert_eq!((code, Path::new(&stdout)), (0, &*folder), "{id}: {stderr}");
        let line = format!("INFO: Python distribution {id}: Local from {}", folder.display());
        assert!(stderr.lines().any(|it| it == line), "{stderr}");
    }
    assert!(!site.path("dists").exists(), "nothing was copied");
    let (code, stdout, _) = site.run(&["resolve", "a", "--explain", "--runtimes", &home]);
    assert!(code == 0 && stdout.contains(&format!("     + {}", folder.display())), "{stdout}");
    let (code, _, stderr) = site.run(&["prepare", "other:3.12.10", "--runtimes", &home]);
    assert!(code == 2 && stderr.contains("3.12.10-other-current"), "{stderr}");
}
