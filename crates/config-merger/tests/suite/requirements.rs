//! What is accepted as a requirement, and how it is written canonically.

use config_merger::{MarkerAnswer, Requirement, RequirementSource};
use serde_json::json;
use vocab::PlatformKey::{self, LinuxX64, MacosxAarch64, WindowsX64};

use crate::support::{Case, STRICT, dependencies, faults, loaded, merged};

fn one(text: &str) -> Requirement {
    merged(&json!({}), &json!({ "packages": { "dependencies": [text] } })).packages.dependencies[0].clone()
}

#[test]
fn requirements_have_one_canonical_text() {
    let cases = [
        // (as written, canonical)
        ("NumPy", "numpy"),
        ("Foo._-Bar [B, a] >= 2 , < 3", "foo-bar[a,b]>=2,<3"),
        ("torch==2.7.0+cu126", "torch==2.7.0+cu126"),
        ("a==1.0.*", "a==1.0.*"),
        (
            "a ; sys_platform==\"win32\" and python_version >= '3.9'",
            "a ; python_full_version >= '3.9' and sys_platform == 'win32'",
        ),
        (
            "git+https://git.example.org/group/Parapred_PyTorch.git@0123456789abcdef0123456789abcdef01234567",
            "parapred-pytorch @ git+https://git.example.org/group/Parapred_PyTorch.git@0123456789abcdef0123456789abcdef01234567",
        ),
        (
            "git+ssh://git@git.example.org/a/b#egg=c&subdirectory=python",
            "c @ git+ssh://git@git.example.org/a/b#subdirectory=python",
        ),
        (
            "a[x] @ git+https://git.example.org/b@main ; sys_platform == 'linux'",
            "a[x] @ git+https://git.example.org/b@main ; sys_platform == 'linux'",
        ),
        ("./wheels/foo_bar-1.0-py3-none-any.whl", "foo-bar @ ./wheels/foo_bar-1.0-py3-none-any.whl"),
        ("../libs/tool", "tool @ ../libs/tool"),
        ("file:./tool", "tool @ ./tool"),
        ("a @ ../shared-config.json/..", "a @ ../"),
        ("https://files.example.org/x/foo-1.2.tar.gz", "foo @ https://files.example.org/x/foo-1.2.tar.gz"),
    ];
    for (text, canonical) in cases {
        assert_eq!(one(text).text, canonical, "for {text}");
        assert_eq!(one(canonical).text, canonical, "read again");
    }
}

#[test]
fn a_git_requirement_is_taken_apart() {
    let RequirementSource::Git { url, reference, subdirectory } =
        one("git+https://git.example.org/a/b.git@v1#subdirectory=c/d").source
    else {
        panic!("a git requirement")
    };
    assert_eq!(url, "https://git.example.org/a/b.git");
    assert_eq!((reference.as_deref(), subdirectory.as_deref()), (Some("v1"), Some("c/d")));
}

#[test]
fn what_is_no_requirement_is_refused_with_what_to_write() {
    let cases = [
        // (text, a part of the message)
        ("numpy=2.2.6", "hint: write `numpy==2.2.6`"),
        ("numpy 2.2.6", "is not a valid requirement"),
        ("numpy>=2,=2", "write it as PEP 508 says"),
        ("-r more.txt", "list the requirement itself, and indexes in `registries.additional`"),
        ("-e ./tool", "is an option of pip"),
        ("--index-url https://x.example.org", "is an option of pip"),
        // case field-hash-in-requirement
        (&format!("idna==3.10 --hash=sha256:{}", "a".repeat(64)), "do not belong here; digests are in lock.json"),
        ("a @ https://x.example.org/a-1.tar.gz --hash=sha256:00", "`--hash=sha256:00` is an option of pip"),
        ("idna==3.10 \\", "ends with a backslash"),
        ("./x.whl", "does not tell the name"),
        ("/abs/x-1.whl", "names a place on one machine"),
        ("C:\\x-1.whl", "names a place on one machine"),
        ("../../x", "leaves the repository"),
        ("file:///x", "names a place on one machine"),
        ("git+ftp://git.example.org/x", "has the scheme `ftp`"),
        ("git+https://git.example.org", "names no repository"),
        ("git+https://git.example.org/x@", "unusable reference"),
        ("git+https://git.example.org/x@--upload-pack=y", "unusable reference"),
        ("git+https://git.example.org/x#subdirectory=../y", "unusable subdirectory"),
        ("a @ git+https://me:secret@git.example.org/x", "holds a password"),
        ("https://git.example.org/x.git", "write `git+` in front"),
        ("a @ ftp://files.example.org/a-1.tar.gz", "has the scheme `ftp`"),
        ("a ; platform = 'x'", "did you mean `sys_platform`?"),
        ("a ; python_version ~= '3.0'", "write `python_version >= '3.0' and python_version == '3.*'`"),
        ("5.", "does not begin and end with a letter or a digit"),
        ("a[x.]==1", "does not begin and end with a letter or a digit"),
        ("a\nb", "holds a control character"),
        (&format!("a=={}", "1".repeat(3000)), "more than 2000 characters"),
        (&format!("a ; {}os_name == 'x'{}", "(".repeat(60), ")".repeat(60)), "too many comparisons"),
        (&format!("a ; {}os_name == 'x'", "extra == 'b' or ".repeat(40)), "too many comparisons"),
    ];
    for (text, part) in cases {
        let faults = faults(&json!({}), &json!({ "packages": { "dependencies": [text] } }));
        assert_eq!(faults.findings.len(), 1, "for {text}");
        assert!(faults.to_string().contains(part), "for {text}:\n{faults}");
        assert!(!faults.to_string().contains("secret"), "for {text}:\n{faults}");
    }
}

#[test]
fn a_marker_that_amounts_to_too_much_is_refused_before_it_takes_long() {
    let marker = |pairs: usize| {
        let pair = |n| format!("('a{n:02}' in os_name and 'b{n:02}' in sys_platform)");
        format!("a ; {}", (0..pairs).map(pair).collect::<Vec<_>>().join(" or "))
    };
    // Twelve would take minutes.
    for pairs in [4, 8, 12, 16] {
        let own = json!({ "packages": { "dependencies": [marker(pairs)] } });
        assert!(faults(&json!({}), &own).findings[0].text.contains("too many comparisons"));
    }
    let tools_write = "a ; platform_machine == 'aarch64' or (platform_machine == 'ppc64le' or (platform_machine == 'x86_64' \
                       or (platform_machine == 'amd64' or (platform_machine == 'AMD64' or platform_machine == 'WIN32'))))";
    assert_eq!(one(tools_write).applies(LinuxX64, "3.12.10".parse().unwrap(), None), MarkerAnswer::Yes);
}

#[test]
fn markers_are_asked_about_the_target() {
    let cases = [
        // (marker, platforms on which it holds)
        ("sys_platform == 'win32'", vec![WindowsX64]),
        ("platform_machine == 'arm64'", vec![MacosxAarch64]),
        ("platform_machine == 'AMD64'", vec![WindowsX64]),
        ("os_name == 'nt' or platform_system == 'Darwin'", vec![PlatformKey::MacosxX64, MacosxAarch64, WindowsX64]),
        ("python_version == '3.12' and python_full_version == '3.12.10'", PlatformKey::ALL.to_vec()),
        ("python_version >= '3.13'", vec![]),
        ("implementation_name == 'cpython'", PlatformKey::ALL.to_vec()),
        ("extra == 'test'", vec![]),
    ];
    for (marker, platforms) in cases {
        let requirement = one(&format!("a ; {marker}"));
        let python = "3.12.10".parse().unwrap();
        let holds = |platform: &PlatformKey| requirement.applies(*platform, python, None) == MarkerAnswer::Yes;
        assert_eq!(PlatformKey::ALL.into_iter().filter(holds).collect::<Vec<_>>(), platforms, "for {marker}");
    }
}

#[test]
fn equal_requirements_collapse_and_extras_are_united() {
    let own = json!({ "packages": { "dependencies": ["", "  ", "A==1", "a==1", "a[y]==1", "b", "a[x]==1.0", "b ; os_name == 'nt'"] } });
    let config = merged(&json!({}), &own);
    assert_eq!(dependencies(&config), ["a[y]==1", "b", "a[x]==1.0", "b ; os_name == 'nt'"]);
    let texts: Vec<String> = config.dependencies_for(WindowsX64).into_iter().map(|one| one.text).collect();
    assert_eq!(texts, ["a[x,y]==1", "b"]);
}

#[test]
fn strictly_a_git_requirement_names_a_commit() {
    let own = json!({ "packages": { "dependencies": ["git+https://git.example.org/foo@v1"] } });
    let case = Case::new(&json!({}), &own);
    assert!(case.load(config_merger::LoadOptions::default()).is_ok());
    insta::assert_snapshot!(case.load(STRICT).unwrap_err(), @r"
    python-3.12.10/config.json:4:7 /packages/dependencies/0: `foo @ git+https://git.example.org/foo@v1` names no commit
      hint: write the 40 digits of the commit after the `@`
    ");
}

#[test]
fn the_resolver_gets_a_line_without_marker_and_with_absolute_paths() {
    let root = std::env::temp_dir().join("r x");
    let line = one("a[x]>=1,<2 ; os_name == 'nt'").for_resolver(&root);
    assert_eq!(line, "a[x]>=1,<2");
    let line = one("./b-1-py3-none-any.whl").for_resolver(&root);
    assert!(line.starts_with("b @ file:///") && line.ends_with("/r%20x/python-3.12.10/b-1-py3-none-any.whl"), "{line}");
    assert_eq!(
        one("git+https://git.example.org/foo@v1").for_resolver(&root),
        "foo @ git+https://git.example.org/foo@v1"
    );
}

#[test]
fn case_field_kernel_markers_the_oldest_system_tells_the_kernel_of_macos_and_no_other() {
    use config_merger::MarkerAnswer::{No, Unknown, Yes};
    let cases = [
        // (marker, on macOS 13.0, on Linux, on Windows)
        ("platform_system == 'Darwin' and platform_release >= '17.0'", Yes, No, No),
        ("platform_release >= '9.0'", Yes, Unknown, Unknown), // a version, not a text
        ("platform_release >= '22.0'", Yes, Unknown, Unknown),
        ("platform_release >= '23.0'", No, Unknown, Unknown),
        ("platform_release < '23.0' and sys_platform == 'darwin'", Yes, No, No),
        ("platform_system == 'Linux' and platform_release >= '3.10'", No, Unknown, No),
        ("platform_version != 'x'", Unknown, Unknown, Unknown),
        ("platform_version != 'x' or os_name == 'posix'", Yes, Yes, Unknown),
        ("platform_release >= '3' or platform_release < '3'", Yes, Yes, Yes),
    ];
    let python = "3.14.6".parse().unwrap();
    for (marker, macos, linux, windows) in cases {
        let requirement = one(&format!("six ; {marker}"));
        let on = |platform| requirement.applies(platform, python, vocab::default_ceiling(platform));
        let found = [on(PlatformKey::MacosxAarch64), on(LinuxX64), on(PlatformKey::WindowsX64)];
        assert_eq!(found, [macos, linux, windows], "for {marker}");
    }
    let six = one("six ; platform_release >= '19.0'");
    let on_macos =
        |major, minor| six.applies(PlatformKey::MacosxX64, python, Some(vocab::SystemVersion::new(major, minor)));
    assert_eq!([on_macos(10, 14), on_macos(10, 15), on_macos(11, 0), on_macos(26, 0)], [No, Yes, Yes, Yes]);
}

#[test]
fn a_requirement_that_hangs_on_the_kernel_is_a_warning_with_its_place() {
    let own = json!({ "packages": { "dependencies": ["six ; platform_release >= '3'", "idna"] } });
    let loaded = loaded(&json!({}), &own);
    assert_eq!(loaded.warnings.len(), 1);
    let text = loaded.warnings[0].to_string();
    assert!(
        text.contains("/packages/dependencies/0") && text.contains("linux-x64, linux-aarch64, windows-x64"),
        "{text}"
    );
}
