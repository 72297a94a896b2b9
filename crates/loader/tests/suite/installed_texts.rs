//! What people read when `pydist` does not know where things are, or cannot read or write them: what happened, where, what to
//! do. A rule of the repository asks for every text of `installer` in a test.

use std::fs;
use std::process::Command;

use catalogue::Channel;

use super::{Place, installed, refused, told};

/// What names a user's folders, on any system.
const FOLDERS: [&str; 6] = ["HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "XDG_CONFIG_HOME", "XDG_DATA_HOME"];

fn without_folders(mut command: Command) -> Command {
    FOLDERS.iter().for_each(|name| {
        command.env_remove(name);
    });
    command.env_remove("PYDIST_RUNTIMES");
    command
}

impl Place {
    fn on_home(&self, words: &[&str]) -> Command {
        let mut command = self.pydist(words);
        command.env("PYDIST_RUNTIMES", self.home()).current_dir(self.folder.path());
        command
    }
}

#[test]
fn without_a_home_folder_runtimes_and_sources_have_to_be_named() {
    let mut place = Place::new();
    place.publish("one", 1, Channel::Stable, false);
    let from = place.root().display().to_string();
    let get = ["get", "latest-atls", "--platform", "linux-x64", "--from", &from];
    let texts = [
        "error[E_GET_HOME]: cannot determine where runtimes are installed: no home folder is set",
        "hint: set PYDIST_RUNTIMES; or pass --to to `get` and `update`, --runtimes to other commands",
    ];
    for words in [&get[..], &["list"], &["which"], &["update"], &["run", "3.12", "--", "python"]] {
        refused(&without_folders(place.pydist(words)).output().unwrap(), 2, &texts);
    }
    let texts = [
        "error[E_SOURCE_HOME]: cannot determine a folder for settings",
        "hint: set HOME, or on Windows APPDATA; or pass --from to every command",
    ];
    for words in [&["source"][..], &["source", "set", &from], &["source", "remove", &from]] {
        refused(&without_folders(place.pydist(words)).output().unwrap(), 2, &texts);
    }
    // As the hints say.
    let mut command = without_folders(place.pydist(&get));
    let folder = installed(&command.arg("--to").arg(place.home()).output().unwrap());
    let mut command = without_folders(place.pydist(&["list", "--runtimes"]));
    assert_eq!(told(&command.arg(place.home()).output().unwrap()).0, 0);
    let mut command = without_folders(place.pydist(&get));
    assert_eq!(installed(&command.env("PYDIST_RUNTIMES", place.home()).output().unwrap()), folder);
}

#[test]
fn a_source_that_cannot_be_remembered_is_an_error() {
    let place = Place::new();
    let user = place.folder.path().join("user");
    // Nothing is there to read, and no folder can be made.
    #[cfg(unix)]
    std::os::unix::fs::symlink(place.folder.path().join("nowhere"), &user).unwrap();
    #[cfg(not(unix))]
    fs::write(&user, "").unwrap();
    let output = place.pydist(&["source", "set", "https://runtimes.example.com/p"]).output().unwrap();
    let place_of_it = format!("error[E_SOURCE_WRITE]: cannot write `{}", user.display());
    refused(&output, 1, &[&place_of_it, "hint: make the folder writable, or pass --from to every command"]);
}

#[test]
fn what_cannot_be_read_is_named() {
    let mut place = Place::new();
    let hint = "hint: make it readable; another folder of runtimes is named with --runtimes";
    fs::write(place.home(), "").unwrap();
    let home = format!("error[E_RUNTIME_READ]: cannot read `{}`: ", place.home().display());
    for words in [&["list"][..], &["which", "3.12"], &["verify"], &["default", "3.12"]] {
        refused(&place.on_home(words).output().unwrap(), 1, &[&home, hint]);
    }
    fs::remove_file(place.home()).unwrap();
    place.publish("one", 1, Channel::Stable, false);
    installed(&place.get(&[]));
    let file = place.home().join(".default.json");
    fs::create_dir(&file).unwrap();
    let of_default = format!("cannot read `{}`: ", file.display());
    for words in [&["default"][..], &["which"]] {
        refused(&place.on_home(words).output().unwrap(), 1, &["E_RUNTIME_READ", &of_default, hint]);
    }
}

#[test]
fn a_runtime_of_unknown_origin_is_updated_once_its_source_was_named() {
    let mut place = Place::new();
    let entry = place.publish("one", 1, Channel::Stable, false);
    installed(&place.get(&[]));
    let record = place.home().join(format!(".installed/3.12.10-atls-{}.json", entry.build_key.short()));
    let text = fs::read_to_string(&record).unwrap();
    // As older versions wrote it, and as a crash may leave it.
    let old = text.replace(&text[text.rfind(",\"source\"").unwrap()..], "}");
    for text in [old.as_str(), "nonsense"] {
        fs::write(&record, text).unwrap();
        let update = || place.on_home(&["update", "3.12-atls"]).output().unwrap();
        let texts = [
            "error[E_UPDATE_SOURCE]: nothing is known of where 3.12.10-atls came from",
            "hint: run `pydist get 3.12.10-atls --from URL` once",
        ];
        refused(&update(), 2, &texts);
        // As the hint says.
        installed(&place.get(&[]));
        assert_eq!(told(&update()).0, 0);
    }
}

#[test]
fn a_key_file_that_is_not_text_is_named_from_the_root() {
    let mut place = Place::new();
    place.publish("one", 1, Channel::Stable, true);
    let folder = place.folder.path().canonicalize().unwrap();
    fs::write(folder.join("key.pub"), [0xff, 0xfe]).unwrap();
    let from = place.root().display().to_string();
    let mut command = place.command(&from, &["--public-key", "key.pub"]);
    let texts = [
        "error[E_GET_PUBLIC_KEY]: --public-key: cannot read `",
        "key.pub`: ",
        "hint: make it a readable text file, or give the key itself: the line that begins with RW",
    ];
    let output = command.current_dir(&folder).output().unwrap();
    refused(&output, 2, &texts);
    let told = told(&output).2;
    let shown = std::path::absolute(folder.join("key.pub")).unwrap().display().to_string();
    // How Windows writes a canonical path; the program shows it as it is written elsewhere.
    assert!(told.contains(shown.trim_start_matches(r"\\?\")), "{told}");
}
