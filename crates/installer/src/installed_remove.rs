//! Removing builds. A build is renamed out of sight first, in one step, so an interrupted removal leaves no half of it:
//! the next command that writes here finishes the work.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use vocab::Event;

use crate::home::HomeLock;
use crate::installed_use::users_of;
use crate::{DiskUse, Home, Installed, InstalledBuild, InstalledError, RuntimeUser};

/// What would go, and what that frees.
#[derive(Debug)]
pub struct PrunePlan {
    pub old: Vec<InstalledBuild>,
    /// Of `old`, in its order.
    pub disk: DiskUse,
    /// Not current either, but something runs from them.
    pub used: Vec<(InstalledBuild, Vec<RuntimeUser>)>,
    /// What could not be looked at.
    pub unseen: Option<String>,
}

impl PrunePlan {
    /// Every build of ours that is not current, if its version has a current one. Reads, and changes nothing.
    pub fn of(installed: &Installed) -> Self {
        let is_old = |build: &&InstalledBuild| {
            let has_current = installed.of_version(&build.version).any(|other| other.is_current && other.is_whole());
            build.is_ours() && !build.is_current && has_current
        };
        let old: Vec<&InstalledBuild> = installed.builds.iter().filter(is_old).collect();
        let folders: Vec<_> = old.iter().map(|build| build.folder.as_path()).collect();
        let in_use = users_of(&folders);
        let mut plan = Self { old: Vec::new(), disk: DiskUse::default(), used: Vec::new(), unseen: in_use.unseen };
        for (build, users) in old.into_iter().zip(in_use.users) {
            match users.is_empty() {
                true => plan.old.push(build.clone()),
                false => plan.used.push((build.clone(), users)),
            }
        }
        plan.disk = DiskUse::of(plan.old.iter().map(|build| build.folder.as_path()));
        plan
    }
}

impl InstalledBuild {
    fn is_whole(&self) -> bool {
        crate::installed::has_manifest(&self.folder)
    }
}

/// A home that no other process changes meanwhile.
pub struct HeldHome<'a> {
    home: &'a Home,
    _lock: HomeLock,
}

impl<'a> HeldHome<'a> {
    /// Waits for other processes; what they left unfinished is cleared up.
    pub fn wait(home: &'a Home, tell: &dyn Fn(Event), is_cancelled: &dyn Fn() -> bool) -> Result<Self, InstalledError> {
        // Nothing shall be created where nothing is installed.
        if !home.root().is_dir() {
            return Err(InstalledError::Nothing { home: home.root().to_owned() });
        }
        let failed = |source| InstalledError::Write { path: home.root().to_owned(), source };
        match home.hold_when_free(tell, is_cancelled).map_err(failed)? {
            Some(lock) => Ok(Self { home, _lock: lock }),
            None => Err(InstalledError::Cancelled),
        }
    }

    /// Removes one build, its record, and the link of its version if that led to it. An error leaves it as it was,
    /// unless files could not be deleted after it was renamed.
    pub fn remove(&self, build: &InstalledBuild) -> Result<(), InstalledError> {
        let failed = |path: &PathBuf| {
            let path = path.clone();
            move |source| InstalledError::Write { path, source }
        };
        if !build.is_ours() {
            return Err(InstalledError::Foreign { folder: build.folder.clone() });
        }
        let taken = match fs::symlink_metadata(&build.folder) {
            Ok(_) => Some(self.home.take_away(&build.folder).map_err(|source| match source.kind() {
                // Windows moves no folder with open files in it.
                ErrorKind::PermissionDenied if cfg!(windows) => {
                    let users = "a program that has its files open, which --force cannot change".to_owned();
                    InstalledError::InUse { name: build.name(), users }
                }
                _ => InstalledError::Write { path: build.folder.clone(), source },
            })?),
            Err(_) => None,
        };
        self.home.forget(&build.folder).map_err(failed(&build.folder))?;
        if build.is_current {
            let link = self.home.current_path(&build.version);
            self.home.clear_current(&build.version).map_err(failed(&link))?;
        }
        if let Some(taken) = taken {
            let path = taken.keep();
            disk::remove_tree(&path).map_err(failed(&path))?;
        }
        Ok(())
    }

    /// Removes records and links of builds that are gone. Gives how many.
    pub fn clear_remains(&self, installed: &Installed) -> Result<usize, InstalledError> {
        let failed = |source| InstalledError::Write { path: self.home.root().to_owned(), source };
        let mut count = 0;
        for build in installed.builds.iter().filter(|build| build.is_ours()) {
            // A current build without a folder can still be repaired.
            if !build.is_current && fs::symlink_metadata(&build.folder).is_err() {
                self.home.forget(&build.folder).map_err(failed)?;
                count += 1;
            }
        }
        Ok(count)
    }
}

/// `python3.12 (1234) and 2 more`.
pub fn users_in_words(users: &[RuntimeUser]) -> String {
    let shown: Vec<String> = users.iter().take(3).map(|user| format!("{} ({})", user.name, user.pid)).collect();
    match users.len().saturating_sub(3) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
