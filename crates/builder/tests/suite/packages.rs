//! npm packages, workspace and catalogue: `builder new` makes them, `builder check` compares them, and `roots` decide what
//! `--platform all` means.

use std::fs;

use serde_json::{Value, json};
use vocab::PlatformKey;

use crate::desk::Desk;

const PNPM: &str =
    "# Who is in it\npackages:\n  - 'catalogue'\n  - 'python-3.12.10' # the plain one\n  - 'python-3.12.10-atls'\n";

fn name(version: &str) -> String {
    format!("@scope/runenv-python-{version}")
}

fn reference(version: &str) -> String {
    format!("{}/dist/tengo/software/main.sw.json", name(version))
}

fn package(version: &str, platforms: &[PlatformKey]) -> Value {
    let roots: serde_json::Map<String, Value> =
        platforms.iter().map(|it| (it.to_string(), json!(format!("./pydist/{it}")))).collect();
    json!({
        "name": name(version),
        "version": "1.3.24",
        "description": "Python 3.12.10 run environment with tools of its own",
        "files": ["dist/"],
        "scripts": { "build": format!("node ../scripts/build.js {version}"), "cleanup": "rm -rf ./pydist" },
        "block-software": { "entrypoints": { "main": { "environment": { "artifact": {
            "type": "environment",
            "runtime": "python",
            "registry": "scope-open",
            "python-version": version.split('-').next(),
            "envVars": ["RPY2_CFFI_MODE=ABI"],
            "roots": roots,
            "binDir": "bin",
        } } } } },
        "devDependencies": { "tool": "^3.6.0" },
    })
}

/// As the seed's repository is laid out: two versions, a catalogue with four blanks of indentation, both workspace lists.
fn seed() -> Desk {
    let desk = Desk { hides_host: false, ..Desk::new() };
    let atls = [PlatformKey::LinuxX64, PlatformKey::MacosxAarch64];
    desk.repository.file("python-3.12.10/package.json", format!("{:#}\n", package("3.12.10", &PlatformKey::ALL)));
    desk.repository.file("python-3.12.10-atls/package.json", format!("{:#}\n", package("3.12.10-atls", &atls)));
    desk.repository.file("pnpm-workspace.yaml", PNPM);
    desk.repository.file("catalogue/package.json", catalogue(&["3.12.10", "3.12.10-atls"]));
    desk.repository.file(
        "package.json",
        "{\n\t\"name\": \"@scope/all\",\n\t\"private\": true,\n\t\"workspaces\": [\"catalogue\", \"python-3.12.10\", \"python-3.12.10-atls\"]\n}\n",
    );
    desk
}

fn catalogue(versions: &[&str]) -> String {
    let entry = |version: &&str| {
        format!(
            "            \"{version}\": {{\n                \"reference\": \"{}\"\n            }}",
            reference(version)
        )
    };
    let dependency = |version: &&str| format!("        \"{}\": \"workspace:*\"", name(version));
    let (entries, dependencies): (Vec<_>, Vec<_>) = versions.iter().map(|it| (entry(it), dependency(it))).unzip();
    format!(
        "{{\n    \"name\": \"@scope/runenv-python-3\",\n    \"block-software\": {{\n        \"entrypoints\": {{\n{}\n        }}\n    }},\n    \"dependencies\": {{\n{}\n    }},\n    \"license\": \"UNLICENSED\"\n}}\n",
        entries.join(",\n"),
        dependencies.join(",\n")
    )
}

/// Every file of the repository with its content.
fn state(desk: &Desk) -> Vec<(String, Vec<u8>)> {
    let walk = walkdir::WalkDir::new(desk.repository.path()).sort_by_file_name().into_iter().map(Result::unwrap);
    let files = walk.filter(|entry| entry.file_type().is_file());
    files.map(|entry| (entry.path().display().to_string(), fs::read(entry.path()).unwrap())).collect()
}

fn text(desk: &Desk, path: &str) -> String {
    fs::read_to_string(desk.repository.at(path)).unwrap()
}

fn document(desk: &Desk, path: &str) -> Value {
    serde_json::from_str(&text(desk, path)).unwrap()
}

fn is_green(desk: &Desk) {
    let told = desk.run("check");
    assert!(told.contains("exit 0") && told.contains("no problems found"), "{told}");
}

/// The seed's "Adding a New Python Version or Variant", by the command.
#[test]
fn new_does_the_six_steps_and_says_how_to_try_it() {
    let desk = seed();
    is_green(&desk);
    insta::assert_snapshot!(desk.run("new 3.13.0-custom"));
    // Nothing that people wrote is written differently.
    let expected = PNPM.to_owned() + "  - 'python-3.13.0-custom'\n";
    assert_eq!(text(&desk, "pnpm-workspace.yaml"), expected);
    assert_eq!(text(&desk, "catalogue/package.json"), catalogue(&["3.12.10", "3.12.10-atls", "3.13.0-custom"]));
    assert_eq!(
        text(&desk, "package.json").lines().nth(3).unwrap(),
        "\t\"workspaces\": [\"catalogue\", \"python-3.12.10\", \"python-3.12.10-atls\", \"python-3.13.0-custom\"]"
    );
    let made = document(&desk, "python-3.13.0-custom/package.json");
    assert_eq!(made["name"], "@scope/runenv-python-3.13.0-custom");
    assert_eq!(made["version"], "0.1.0");
    assert_eq!(made["description"], "Python 3.13.0 run environment (custom)");
    assert_eq!(made["scripts"]["build"], "node ../scripts/build.js 3.13.0-custom");
    assert_eq!(made["devDependencies"], json!({ "tool": "^3.6.0" }));
    let artifact = &made["block-software"]["entrypoints"]["main"]["environment"]["artifact"];
    assert_eq!((&artifact["python-version"], &artifact["registry"]), (&json!("3.13.0"), &json!("scope-open")));
    assert_eq!(artifact["roots"].as_object().unwrap().len(), 5);
    assert_eq!(artifact.get("envVars"), None, "another version's variables are its own");
    is_green(&desk);
    // A second time changes nothing and says so.
    let before = state(&desk);
    let again = desk.run("new 3.13.0-custom");
    assert!(
        again.contains("exit 0") && again.contains("3.13.0-custom is already complete; nothing was changed"),
        "{again}"
    );
    assert_eq!(state(&desk), before);
}

/// The same by hand: after each step `check` names what is still missing, until nothing is.
#[test]
fn k5_a_version_is_added_by_hand_and_check_names_each_step_that_is_missing() {
    let desk = seed();
    let mut told = Vec::new();
    let mut after = |step: &str| {
        let said = desk.run("check");
        let lines = said
            .lines()
            .filter(|line| line.starts_with("error") || line.starts_with("  hint") || line.starts_with("exit"));
        told.push(format!("# {step}\n{}\n", lines.collect::<Vec<_>>().join("\n")));
    };
    fs::create_dir(desk.repository.at("python-3.13.0-custom")).unwrap();
    after("the folder");
    desk.repository.file("python-3.13.0-custom/config.json", "{}\n");
    after("config.json");
    // Copied, as the seed says, and not yet edited.
    let mut copied = package("3.12.10", &PlatformKey::ALL);
    desk.repository.file("python-3.13.0-custom/package.json", format!("{copied:#}\n"));
    after("package.json, copied");
    copied["block-software"]["entrypoints"]["main"]["environment"]["artifact"]["python-version"] = json!("3.13.0");
    copied["scripts"]["build"] = json!("node ../scripts/build.js 3.13.0-custom");
    desk.repository.file("python-3.13.0-custom/package.json", format!("{copied:#}\n"));
    after("package.json with its own version and script");
    copied["name"] = json!(name("3.13.0-custom"));
    desk.repository.file("python-3.13.0-custom/package.json", format!("{copied:#}\n"));
    after("package.json with its own name");
    desk.repository.file("pnpm-workspace.yaml", PNPM.to_owned() + "  - 'python-3.13.0-custom'\n");
    after("pnpm-workspace.yaml");
    let mut root = document(&desk, "package.json");
    root["workspaces"].as_array_mut().unwrap().push(json!("python-3.13.0-custom"));
    desk.repository.file("package.json", root.to_string());
    after("workspaces of package.json");
    desk.repository.file("catalogue/package.json", catalogue(&["3.12.10", "3.12.10-atls", "3.13.0-custom"]));
    after("the catalogue");
    is_green(&desk);
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn new_from_another_copies_what_it_is_made_from_and_nothing_that_was_made() {
    let desk = seed();
    for file in [
        "linux-x64/bin/tool",
        "CHANGELOG.md",
        "lock.json",
        "pkg-scope-1.0.tgz",
        "node_modules/x/index.js",
        "dist/artifacts/main.json",
        "pydist/linux-x64/bin/python3",
        ".turbo/log",
        "logs/build.jsonl",
    ] {
        desk.repository.file(&format!("python-3.12.10-atls/{file}"), "x");
    }
    desk.repository.file("python-3.12.10-atls/lock.json", "{}");
    let told = desk.run("new 3.12.10-lab --from 3.12.10-atls");
    assert!(told.contains("exit 0") && told.contains("copied from 3.12.10-atls"), "{told}");
    let folder = desk.repository.at("python-3.12.10-lab");
    let walk = walkdir::WalkDir::new(&folder).sort_by_file_name().into_iter().map(Result::unwrap);
    let files = walk.filter(|entry| entry.file_type().is_file());
    let files: Vec<String> =
        files.map(|it| it.path().strip_prefix(&folder).unwrap().to_str().unwrap().replace('\\', "/")).collect();
    assert_eq!(files, ["config.json", "linux-x64/bin/tool", "package.json"]);
    let made = document(&desk, "python-3.12.10-lab/package.json");
    let artifact = &made["block-software"]["entrypoints"]["main"]["environment"]["artifact"];
    // Its roots are those of the files and rules that it took over; its name and description are its own.
    assert_eq!(
        artifact["roots"],
        json!({ "linux-x64": "./pydist/linux-x64", "macosx-aarch64": "./pydist/macosx-aarch64" })
    );
    assert_eq!(artifact["envVars"], json!(["RPY2_CFFI_MODE=ABI"]));
    assert!(!made.to_string().contains("atls"), "{made:#}");
    assert_eq!(
        (&made["version"], &made["description"]),
        (&json!("0.1.0"), &json!("Python 3.12.10 run environment (lab)"))
    );
    fs::remove_file(desk.repository.at("python-3.12.10-atls/lock.json")).unwrap();
    is_green(&desk);
    let before = state(&desk);
    desk.run("new 3.12.10-lab --from 3.12.10-atls");
    assert_eq!(state(&desk), before);
}

/// What a killed run left undone.
#[test]
fn new_completes_what_is_missing_and_touches_nothing_else() {
    let desk = seed();
    desk.run("new 3.13.0");
    let complete = state(&desk);
    desk.repository.file("pnpm-workspace.yaml", PNPM);
    let told = desk.run("new 3.13.0");
    assert!(told.contains("added `python-3.13.0` to pnpm-workspace.yaml\n"), "{told}");
    assert_eq!(state(&desk), complete);
    fs::remove_file(desk.repository.at("python-3.13.0/package.json")).unwrap();
    assert!(desk.run("check").contains("run `builder new 3.13.0`"));
    desk.run("new 3.13.0");
    assert_eq!(state(&desk), complete);
    // Half a folder under its passing name is not taken for anything.
    fs::remove_dir_all(desk.repository.at("python-3.13.0")).unwrap();
    desk.repository.file(".python-3.13.0.new/half", "x");
    desk.run("new 3.13.0");
    assert_eq!(state(&desk), complete);
    // What has the name and is no folder of a version stays.
    desk.repository.file("python-3.13.1", "mine");
    let told = desk.run("new 3.13.1");
    assert!(told.contains("exit 2") && told.contains("error[E_VERSION_EXISTS]"), "{told}");
}

#[test]
fn new_stops_before_anything_is_written_where_it_would_build_on_a_fault() {
    let desk = seed();
    let cases = [
        (
            "catalogue/package.json",
            "{ \"dependencies\": [] }",
            "catalogue/package.json:1:19 /dependencies: an object is expected",
        ),
        ("pnpm-workspace.yaml", "packages: everything\n", "pnpm-workspace.yaml:1:11: "),
        ("package.json", "{ // ours\n}", "package.json:1:3: not JSON: comments are not allowed"),
        // The nearest, which would be the model.
        ("python-3.12.10/package.json", "{ \"name\": ]", "python-3.12.10/package.json:1:"),
    ];
    for (file, broken, said) in cases {
        let sound = text(&desk, file);
        desk.repository.file(file, broken);
        let before = state(&desk);
        let told = desk.run("new 3.13.0");
        assert!(told.contains("exit 2") && told.contains(said), "{told}");
        assert_eq!(state(&desk), before, "{file}");
        desk.repository.file(file, sound);
    }
    // The name that it would have is another package's.
    let root = text(&desk, "package.json").replace("@scope/all", &name("3.13.0"));
    desk.repository.file("package.json", root);
    let before = state(&desk);
    let told = desk.run("new 3.13.0");
    assert!(told.contains("exit 2") && told.contains("package.json:2:10 /name: "), "{told}");
    assert_eq!(state(&desk), before);
}

#[test]
fn new_goes_by_the_nearest_package_and_a_broken_one_further_off_is_no_matter() {
    let desk = seed();
    desk.repository.file("python-3.12.10-atls/package.json", "{");
    let told = desk.run("new 3.13.0");
    assert!(told.contains("exit 0"), "{told}");
    assert!(desk.repository.at("python-3.13.0/package.json").is_file());
}

#[test]
fn results_that_have_nowhere_to_go_are_an_error_before_anything_is_built() {
    let desk = seed();
    let cases =
        [("dist", "3.12.10"), ("elsewhere", "3.12.10 --out elsewhere/deeper"), ("python-3.12.10/pydist", "3.12.10")];
    for (file, line) in cases {
        desk.repository.file(file, "a file");
        let told = desk.run(line);
        assert!(told.contains("exit 1") && told.contains("error[E_WRITE]"), "{line}: {told}");
        assert!(told.contains(&format!("{file}` is not a folder")), "{line}: {told}");
        fs::remove_file(desk.repository.at(file)).unwrap();
    }
}

#[test]
fn a_repository_without_packages_stays_without_and_is_made_for_all_five_platforms() {
    let desk = Desk { hides_host: false, ..Desk::new() };
    for version in ["3.12.10", "3.12.10-atls"] {
        fs::remove_file(desk.repository.at(&format!("python-{version}/package.json"))).unwrap();
    }
    desk.run("new 3.13.0-custom");
    assert!(!desk.repository.at("python-3.13.0-custom/package.json").exists());
    is_green(&desk);
    let told = desk.run_with("3.13.0-custom --platform all", &[("TEST_RUN", "true")]);
    assert!(PlatformKey::ALL.iter().all(|it| told.contains(&format!("pydist/{it}\n"))), "{told}");
}

#[test]
fn all_is_what_the_roots_name_for_builds_and_jobs_alike() {
    let desk = seed();
    let told = desk.run_with("3.12.10-atls --platform all", &[("TEST_RUN", "true")]);
    let stubs: Vec<&str> = told.lines().filter(|line| line.starts_with("<repository>/")).collect();
    let folder = "<repository>/python-3.12.10-atls/pydist";
    assert_eq!(stubs, [format!("{folder}/linux-x64"), format!("{folder}/macosx-aarch64")], "{told}");
    // The jobs, and what the lock lacks.
    let told = desk.run("matrix 3.12.10-atls --format github");
    assert!(told.contains("no fresh rows for linux-x64, macosx-aarch64:"), "{told}");
    // Another platform can still be asked for by name, and is said to be another.
    let told = desk.run_with("3.12.10-atls --platform windows-x64", &[("TEST_RUN", "true")]);
    assert!(
        told.contains("exit 0") && told.contains("warning[W_ROOTS]: 3.12.10-atls is not made for windows-x64"),
        "{told}"
    );
}

/// As npm alone installs it: no `pnpm-workspace.yaml`, and versions in place of `workspace:`.
fn npm_only() -> Desk {
    let desk = seed();
    fs::remove_file(desk.repository.at("pnpm-workspace.yaml")).unwrap();
    let plain = catalogue(&["3.12.10", "3.12.10-atls"]).replace("workspace:*", "1.3.24");
    desk.repository.file("catalogue/package.json", plain);
    desk
}

/// npm refuses `workspace:`, whatever stands after it.
#[test]
fn new_writes_ranges_that_npm_accepts_where_npm_alone_installs() {
    let desk = npm_only();
    is_green(&desk);
    let told = desk.run("new 3.13.0");
    assert!(told.contains("exit 0") && told.contains("npm install") && !told.contains("pnpm"), "{told}");
    let range = |desk: &Desk| document(desk, "catalogue/package.json")["dependencies"][name("3.13.0")].clone();
    assert_eq!(range(&desk), "0.1.0");
    is_green(&desk);
    // The first of all, and beside one that is wrong itself.
    for first in ["", "@scope/runenv-python-3.12.10\": \"workspace:*"] {
        let desk = npm_only();
        let mut emptied = document(&desk, "catalogue/package.json");
        emptied["dependencies"] = json!({});
        let text = emptied.to_string();
        let dependency = if first.is_empty() { "{}".to_owned() } else { format!("{{\"{first}\"}}") };
        desk.repository.file(
            "catalogue/package.json",
            text.replace("\"dependencies\":{}", &format!("\"dependencies\":{dependency}")),
        );
        desk.run("new 3.13.0");
        assert_eq!(range(&desk), "0.1.0", "{first}");
    }
    // A `*` is imitated.
    let desk = npm_only();
    let any = text(&desk, "catalogue/package.json").replace("1.3.24", "*");
    desk.repository.file("catalogue/package.json", any);
    desk.run("new 3.13.0");
    assert_eq!(range(&desk), "*");
    is_green(&desk);
}

#[test]
fn check_names_ranges_that_do_not_lead_to_the_package() {
    let told = |desk: &Desk, range: &str| {
        let text = text(desk, "catalogue/package.json");
        desk.repository.file("catalogue/package.json", text.replace("1.3.24", range).replace("workspace:*", range));
        desk.run("check")
    };
    let place = "catalogue/package.json:14:9 /dependencies/@scope~1runenv-python-3.12.10: the dependency does not lead to \
                 `python-3.12.10/package.json`";
    let hint = |range: &str| format!("hint: write `\"@scope/runenv-python-3.12.10\": \"{range}\"`");
    for (desk, range, why, write) in [
        (npm_only(), "workspace:*", "npm does not understand `workspace:*`", "1.3.24"),
        (npm_only(), "1.3.0", "`1.3.0` is not the version of the package here, 1.3.24", "1.3.24"),
        (seed(), "1.3.24", "pnpm looks for `1.3.24` in the npm registry, not in this repository", "workspace:*"),
    ] {
        let told = told(&desk, range);
        assert!(
            told.contains("exit 2") && told.contains(&format!("{place}: {why}")) && told.contains(&hint(write)),
            "{told}"
        );
    }
    let desk = seed();
    desk.repository.file("pnpm-workspace.yaml", PNPM.to_owned() + "linkWorkspacePackages: true\n");
    assert!(told(&desk, "1.3.24").contains("exit 0"));
}

/// Whatever their order: each finds what the others have written.
#[test]
fn eight_at_once_lose_nothing_of_each_other() {
    let desk = seed();
    // Left by a run that was killed; the system has released it.
    desk.repository.file(".builder-new.lock", "");
    let versions: Vec<String> = (1..=8).map(|patch| format!("3.13.{patch}")).collect();
    let desk = &desk;
    std::thread::scope(|scope| {
        for version in &versions {
            scope.spawn(move || {
                let told = desk.run(&format!("new {version}"));
                assert!(told.contains("exit 0"), "{told}");
            });
        }
    });
    for version in &versions {
        let index = document(desk, "catalogue/package.json");
        assert_eq!(index["dependencies"][name(version)], "workspace:*");
        assert_eq!(index["block-software"]["entrypoints"][version]["reference"], reference(version));
        for list in ["pnpm-workspace.yaml", "package.json"] {
            assert!(text(desk, list).contains(&format!("python-{version}")), "{version} in {list}");
        }
    }
    is_green(desk);
    assert_eq!(cfg!(windows), desk.repository.at(".builder-new.lock").exists());
}

/// While another holds the lock nothing is read or written; once it ends, however it ends, it is this one's turn.
#[test]
fn new_waits_for_another_that_is_at_work() {
    let desk = seed();
    let before = state(&desk);
    let path = desk.repository.at(".builder-new.lock");
    let lock = fs::File::create(&path).unwrap();
    lock.lock().unwrap();
    std::thread::scope(|scope| {
        let run = scope.spawn(|| desk.run("new 3.13.0"));
        std::thread::sleep(std::time::Duration::from_millis(300));
        let now: Vec<_> = state(&desk).into_iter().filter(|(path, _)| !path.ends_with(".lock")).collect();
        assert_eq!(now, before);
        drop(lock);
        let told = run.join().unwrap();
        assert!(told.contains("exit 0") && text(&desk, "pnpm-workspace.yaml").contains("3.13.0"), "{told}");
    });
}

#[test]
fn a_repository_that_is_not_there_is_named() {
    let desk = seed();
    for line in ["new 3.13.0 --repository absent", "check --repository absent", "plan 3.12.10 --repository absent"] {
        let told = desk.run(line);
        let text = "error[E_REPOSITORY]: there is no folder `<repository>/absent`";
        assert!(told.contains("exit 2") && told.contains(text) && told.contains("--repository"), "{told}");
    }
}

/// A pipe would be waited for without end.
#[cfg(unix)]
#[test]
fn new_copies_files_and_folders_and_names_what_else_is_there() {
    let desk = seed();
    let place = desk.repository.at("python-3.12.10-atls/tools/odd");
    fs::create_dir(place.parent().unwrap()).unwrap();
    desk.repository.file("python-3.12.10-atls/a-first", "x");
    let before = state(&desk);
    let pipe = || assert!(std::process::Command::new("mkfifo").arg(&place).status().unwrap().success());
    let link = |target: &str| std::os::unix::fs::symlink(target, &place).unwrap();
    let cases: [(&dyn Fn(), &str); 4] = [
        (&pipe, "neither a file nor a folder"),
        (&|| link("/dev/zero"), "neither a file nor a folder"),
        (&|| link("absent"), "a link that leads nowhere"),
        (&|| link(".."), "a link to a folder"),
    ];
    for (make, what) in cases {
        make();
        let told = desk.run("new 3.12.10-lab --from 3.12.10-atls");
        let text = format!("`<repository>/python-3.12.10-atls/tools/odd` is {what}");
        assert!(told.contains("exit 2") && told.contains("E_VERSION_COPY") && told.contains(&text), "{told}");
        assert_eq!(state(&desk), before, "{what}");
        fs::remove_file(&place).unwrap();
    }
    // A link to a file becomes a file.
    link("../a-first");
    let told = desk.run("new 3.12.10-lab --from 3.12.10-atls");
    assert!(told.contains("exit 0"), "{told}");
    let copied = desk.repository.at("python-3.12.10-lab/tools/odd");
    assert!(fs::symlink_metadata(&copied).unwrap().is_file());
    assert_eq!(fs::read_to_string(&copied).unwrap(), "x");
}

/// Wherever a file of the repository is read: each is named within moments, in place of a wait without end.
#[cfg(unix)]
#[test]
fn a_pipe_in_place_of_a_file_is_named_and_not_waited_for() {
    for file in [
        "shared-config.json",
        "python-3.12.10/config.json",
        "python-3.12.10/package.json",
        "python-3.12.10/lock.json",
        "pnpm-workspace.yaml",
        "checker/whitelists/linux-x64.json",
    ] {
        let desk = seed();
        let path = desk.repository.at(file);
        let _ = fs::remove_file(&path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let told = desk.run("check");
        assert!(!told.contains("exit 0") && told.contains(file), "{file}: {told}");
    }
}

/// Each of them with one clear error, exit code 2, and before anything is built.
#[test]
fn b5_bad_descriptors_stop_a_build_before_it_begins() {
    let desk = seed();
    let artifact = "/block-software/entrypoints/main/environment/artifact";
    let cases: [(&str, Value); 6] = [
        ("", json!({})),
        ("/roots", json!({})),
        ("/roots/macos-arm64", json!("./pydist/macos-arm64")),
        ("/roots/linux-x64", json!("./elsewhere")),
        ("/python-version", json!("3.12.9")),
        ("/binDir", json!("")),
    ];
    let mut told = Vec::new();
    for (key, value) in cases {
        let mut package = package("3.12.10", &[PlatformKey::LinuxX64]);
        let (parent, last) = key.rsplit_once('/').unwrap_or_default();
        match package.pointer_mut(&format!("{artifact}{parent}")).unwrap() {
            Value::Object(members) if !last.is_empty() => members.insert(last.to_owned(), value),
            whole => Some(std::mem::replace(whole, value)),
        };
        desk.repository.file("python-3.12.10/package.json", format!("{package:#}\n"));
        let said = desk.run_with("3.12.10 --platform linux-x64", &[("TEST_RUN", "true")]);
        assert!(!desk.repository.at("python-3.12.10/pydist").exists(), "{said}");
        told.push(said);
        let plan = desk.run("plan 3.12.10");
        assert!(plan.contains("exit 2") && plan.contains("error[E_DESCRIPTOR]"), "{plan}");
        let matrix = desk.run("matrix --format github");
        assert!(matrix.contains("exit 2") && matrix.contains("error[E_DESCRIPTOR]"), "{matrix}");
    }
    insta::assert_snapshot!(told.join("\n"));
}

/// What contradicts a version stops whatever works on it, and nothing of the others.
#[test]
fn k5_files_that_contradict_each_other_stop_what_works_on_the_version() {
    let whole = catalogue(&["3.12.10", "3.12.10-atls"]);
    let without_dependency = whole.replace(&format!("\n        \"{}\": \"workspace:*\",", name("3.12.10")), "");
    let elsewhere = whole.replace(&reference("3.12.10"), &reference("3.12.10-atls"));
    let mut renamed = package("3.12.10", &PlatformKey::ALL);
    renamed["name"] = json!(name("3.12.11"));
    let mut twin = package("3.12.10-atls", &[PlatformKey::LinuxX64]);
    twin["name"] = json!(name("3.12.10"));
    // (file, its text, what is told, whether 3.12.10-atls is stopped as well)
    let cases = [
        ("catalogue/package.json", without_dependency, "`dependencies` has no `@scope/runenv-python-3.12.10`", false),
        ("catalogue/package.json", elsewhere, "the entry point 3.12.10 refers to", false),
        ("python-3.12.10/package.json", renamed.to_string(), "is a name for 3.12.11, the folder is", false),
        ("python-3.12.10-atls/package.json", twin.to_string(), "is the name of", true),
        ("catalogue/package.json", "{".to_owned(), "catalogue/package.json:1:1: not JSON", true),
        ("package.json", "[]".to_owned(), "package.json:1:1", true),
    ];
    for (file, text, told, all) in cases {
        let desk = seed();
        desk.repository.file(file, text);
        for (line, stops) in [
            ("3.12.10 --platform linux-x64", true),
            ("plan 3.12.10 --offline", true),
            ("lock 3.12.10 --offline", true),
            ("matrix 3.12.10 --format github", true),
            ("3.12.10-atls --platform linux-x64", all),
            ("matrix 3.12.10-atls --format github", all),
        ] {
            let said = desk.run_with(line, &[("TEST_RUN", "true")]);
            let refused = said.contains("exit 2") && said.contains(told);
            assert_eq!((refused, said.matches("error[").count()), (stops, usize::from(stops)), "{file}: {said}");
        }
        assert!(!desk.repository.at("python-3.12.10/pydist").exists(), "{file}");
        let check = desk.run("check");
        assert!(check.contains("exit 2") && check.contains(told), "{file}: {check}");
    }
}

/// What is only not there yet keeps nobody from trying a version: steps 1 and 2 by hand.
#[test]
fn what_is_still_to_be_written_stops_check_alone() {
    let desk = seed();
    desk.repository.file("python-3.13.0/config.json", "{}");
    let check = desk.run("check");
    assert!(check.contains("exit 2") && check.contains("python-3.13.0/package.json: the file is missing"), "{check}");
    let built = desk.run_with("3.13.0 --platform linux-x64", &[("TEST_RUN", "true")]);
    assert!(built.contains("exit 0"), "{built}");
}

#[test]
fn what_a_catalogue_refers_to_can_be_published() {
    for (key, told, hint) in [
        ("version", "the package has no version", "write `\"version\": \"0.1.0\"`"),
        ("block-software", "the package describes no run environment", "describe it in `block-software.entrypoints."),
    ] {
        let desk = seed();
        let mut package = package("3.12.10", &PlatformKey::ALL);
        package.as_object_mut().unwrap().remove(key);
        desk.repository.file("python-3.12.10/package.json", package.to_string());
        let check = desk.run("check");
        assert!(check.contains(&format!("error[E_DESCRIPTOR]: python-3.12.10/package.json:1:1: {told}")), "{check}");
        assert!(check.contains("exit 2") && check.contains(hint) && check.contains("1 error\n"), "{check}");
        // Without a catalogue that refers to it, nothing needs them.
        desk.repository.file("catalogue/package.json", "{}");
        let check = desk.run("check");
        assert!(!check.contains(told), "{check}");
    }
}

/// The same faults in one run of `check`, and those that two files have together.
#[test]
fn b8_check_reports_every_fault_of_every_package_at_once() {
    let desk = seed();
    let mut twin = package("3.12.10-atls", &[PlatformKey::LinuxX64]);
    twin["name"] = json!(name("3.12.10"));
    desk.repository.file("python-3.12.10-atls/package.json", format!("{twin:#}\n"));
    desk.repository.file("pnpm-workspace.yaml", "packages:\n  - catalogue\n  - python-3.12.10\n  - python-3.9.9\n");
    // The fault of the public repository: an entry point without its dependency.
    let whole = catalogue(&["3.12.10", "3.12.10-atls"]);
    desk.repository.file(
        "catalogue/package.json",
        whole.replace(&format!(",\n        \"{}\": \"workspace:*\"", name("3.12.10-atls")), ""),
    );
    insta::assert_snapshot!(desk.run("check"));
    // A configuration that is at fault, too, hides nothing of the package beside it.
    desk.version("[]");
    let mut wrong = package("3.12.10", &PlatformKey::ALL);
    wrong["version"] = json!("new");
    desk.repository.file("python-3.12.10/package.json", format!("{wrong:#}\n"));
    let told = desk.run("check 3.12.10");
    let both = ["error[E_CONFIG_TYPE]", "python-3.12.10/package.json:3:14 /version: `new` is not a version"];
    assert!(both.iter().all(|text| told.contains(text)), "{told}");
}

/// Files of Windows editors: a byte order mark, and line ends of two characters.
#[test]
fn b2_a_byte_order_mark_and_windows_line_ends_stay() {
    let desk = seed();
    for file in ["catalogue/package.json", "pnpm-workspace.yaml"] {
        let text = text(&desk, file).replace('\n', "\r\n");
        desk.repository.file(file, format!("\u{feff}{text}"));
    }
    let told = desk.run("new 3.13.0");
    assert!(told.contains("exit 0"), "{told}");
    for file in ["catalogue/package.json", "pnpm-workspace.yaml"] {
        let text = text(&desk, file);
        assert!(text.starts_with('\u{feff}') && text.contains("3.13.0"), "{file}");
        assert_eq!(text.matches('\n').count(), text.matches("\r\n").count(), "{file}");
    }
    is_green(&desk);
}

/// This repository does what it asks of others.
#[test]
fn our_own_packages_agree_and_build_with_the_full_version() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let store = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_builder"));
    command.args(["check", "--repository"]).arg(&root).env("PYDIST_STORE", store.path());
    let told = String::from_utf8(command.output().unwrap().stderr).unwrap();
    assert!(!told.contains("E_DESCRIPTOR") && !told.contains("E_CATALOGUE") && told.contains("checked"), "{told}");
    let versions = config_merger::Repository::at(&root).versions();
    assert!(!versions.is_empty());
    for version in versions {
        let package = npm_packages::read_version_package(&root, &version).unwrap().unwrap();
        assert_eq!(package.build_script.unwrap().value, format!("cargo run --release -p builder -- {version}"));
    }
}
