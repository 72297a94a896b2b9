//! Which processes run from a build. Linux says it in `/proc`; Windows refuses to move a folder whose programs run;
//! elsewhere it cannot be known here.

use std::path::Path;

/// A process that has a file of a build in its memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuntimeUser {
    pub pid: u32,
    /// Of its program.
    pub name: String,
}

/// Who uses what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuntimeUse {
    /// By folder, in the order of the question.
    pub users: Vec<Vec<RuntimeUser>>,
    /// What could not be looked at, in a sentence for people.
    pub unseen: Option<String>,
}

/// Looks at all processes that this user may look at. A process in a container that sees a build under another path is
/// not recognised.
#[cfg(target_os = "linux")]
pub fn users_of(folders: &[&Path]) -> RuntimeUse {
    linux::users_of(Path::new("/proc"), folders)
}

#[cfg(windows)]
pub fn users_of(folders: &[&Path]) -> RuntimeUse {
    // A folder with a running program cannot be renamed, and nothing is removed that was not renamed.
    RuntimeUse { users: vec![Vec::new(); folders.len()], unseen: None }
}

#[cfg(not(any(target_os = "linux", windows)))]
pub fn users_of(folders: &[&Path]) -> RuntimeUse {
    let unseen = "this system does not say which programs run from a runtime".to_owned();
    RuntimeUse { users: vec![Vec::new(); folders.len()], unseen: Some(unseen) }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs;
    use std::io::ErrorKind;
    use std::os::unix::ffi::OsStrExt as _;
    use std::path::Path;

    use super::{RuntimeUse, RuntimeUser};

    pub(super) fn users_of(proc: &Path, folders: &[&Path]) -> RuntimeUse {
        let mut found = RuntimeUse { users: vec![Vec::new(); folders.len()], unseen: None };
        let places: Vec<Vec<u8>> = folders.iter().map(|folder| start_of_paths(folder)).collect();
        let Ok(items) = fs::read_dir(proc) else {
            found.unseen = Some("`/proc` cannot be read, so running programs are not known".to_owned());
            return found;
        };
        let mut hidden = 0_usize;
        for item in items.flatten() {
            let Some(pid) = item.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            let maps = match fs::read(item.path().join("maps")) {
                Ok(maps) => maps,
                Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                    hidden += 1;
                    continue;
                }
                // It has ended.
                Err(_) => continue,
            };
            for (place, users) in places.iter().zip(&mut found.users) {
                if maps.windows(place.len()).any(|bytes| bytes == place) {
                    let name = fs::read_to_string(item.path().join("comm")).unwrap_or_default();
                    users.push(RuntimeUser { pid, name: name.trim().to_owned() });
                }
            }
        }
        if hidden > 0 {
            let what = if hidden == 1 { "1 process".to_owned() } else { format!("{hidden} processes") };
            found.unseen = Some(format!("{what} of other users could not be looked at"));
        }
        found
    }

    /// As it stands in `maps`, after a blank and with a line break escaped.
    fn start_of_paths(folder: &Path) -> Vec<u8> {
        let folder = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
        let mut place = vec![b' '];
        for byte in folder.as_os_str().as_bytes() {
            match byte {
                b'\n' => place.extend(b"\\012"),
                byte => place.push(*byte),
            }
        }
        place.push(b'/');
        place
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_process_is_known_by_what_it_has_in_its_memory() {
            let proc = tempfile::tempdir().unwrap();
            let maps = "7f00-7f01 r-xp 00000000 08:01 77                         ";
            for (pid, path) in [("12", "/home/a b/3.12.10-x/bin/python3.12"), ("13", "/home/a b/3.12.10-xy/lib/l.so")] {
                fs::create_dir(proc.path().join(pid)).unwrap();
                fs::write(proc.path().join(pid).join("maps"), format!("{maps}\n{maps}{path}\n")).unwrap();
                fs::write(proc.path().join(pid).join("comm"), "python3.12\n").unwrap();
            }
            fs::create_dir(proc.path().join("14")).unwrap();
            fs::create_dir(proc.path().join("sys")).unwrap();
            let folders = [Path::new("/home/a b/3.12.10-x"), Path::new("/home/a b/3.12.10")];
            let used = users_of(proc.path(), &folders);
            let user = RuntimeUser { pid: 12, name: "python3.12".to_owned() };
            assert_eq!(used, RuntimeUse { users: vec![vec![user], Vec::new()], unseen: None });
            let none = users_of(&proc.path().join("none"), &folders);
            assert!(none.unseen.unwrap().contains("cannot be read"));
        }
    }
}
