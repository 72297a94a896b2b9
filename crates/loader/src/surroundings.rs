//! What the commands of this program act with: the environment, the terminal, and what follows from both.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cli::Printer;
use extension::setting_keys::{SettingKey, TRUSTED_KEYS};
use extension::{
    ExtensionWarning, LoaderSettings, Machine, SettingOrigin, SettingSources, UserFolders, vendor_extensions,
};
use installer::{Home, InstalledError};
use loader::{ExtensionHost, HostRequest};
use vocab::{Environment, Event, Fault, Work};

use crate::commands::{CommandError, data_folder, home_of, key_of};
use crate::extension_arguments::ExtensionOptions;
use crate::verbs_arguments::HomeOption;

/// Neither a setting nor the user's folders say where distributions are.
#[derive(Debug, thiserror::Error, Fault)]
#[error("cannot determine the folders for distributions and archives: no home folder is set")]
#[fault("E_EXT_FOLDERS", Usage, hint("set pysdk.pel.distLoc, pysdk.pel.resourceLoc and pysdk.pel.extLoc"))]
struct NoFolders;

/// What commands act with.
pub struct Surroundings {
    pub environment: Environment,
    pub printer: Arc<Printer>,
    pub cancelled: Arc<AtomicBool>,
}

impl Surroundings {
    pub fn variable(&self) -> impl Fn(&str) -> Option<String> {
        |name| self.environment.text(name).map(str::to_owned)
    }

    /// The runtimes that the options name.
    pub fn runtimes(&self, option: &HomeOption) -> Result<Home, CommandError> {
        home_of(option.runtimes.as_deref(), &self.variable())
    }

    /// Whether the user asks to stop.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// Between two builds.
    pub fn check(&self) -> Result<(), InstalledError> {
        if self.is_cancelled() { Err(InstalledError::Cancelled) } else { Ok(()) }
    }

    /// The user's own folder.
    fn home(&self) -> Option<PathBuf> {
        self.environment.path(if cfg!(windows) { "USERPROFILE" } else { "HOME" }).map(Path::to_owned)
    }

    pub fn settings(&self, options: &ExtensionOptions) -> Result<LoaderSettings, Box<dyn Fault>> {
        let mut settings = match &options.settings {
            Some(file) => SettingSources::read_file(file)?,
            None => std::collections::BTreeMap::new(),
        };
        settings.extend(options.set.iter().cloned());
        let properties = options.define.iter().cloned().collect();
        let sources = SettingSources { settings, properties, environment: self.environment.clone() };
        for warning in sources.warnings() {
            let (code, text, hint) = (warning.code, warning.text, warning.hint);
            self.printer.tell(Event::Warning { code, text, place: Some(warning.place), hint });
        }
        let data = data_folder(&self.variable()).map(|data| data.join("loader"));
        let home = self.home();
        Ok(LoaderSettings::read(&sources, UserFolders { home: home.as_deref(), data: data.as_deref() })?)
    }

    /// Settings read and extensions scanned; what the scan has to say is said.
    pub fn host(&self, options: &ExtensionOptions) -> Result<ExtensionHost, Box<dyn Fault>> {
        let settings = self.settings(options)?;
        if settings.folders().is_none() {
            return Err(NoFolders.into());
        }
        let runtimes = home_of(options.runtimes.as_deref(), &self.variable()).ok();
        let given_in = given_in(TRUSTED_KEYS, settings.trusted_keys.origin, options);
        let keys =
            settings.trusted_keys.value.iter().map(|key| key_of(key, &given_in)).collect::<Result<Vec<_>, _>>()?;
        let more_folders = match (options.include_vendor_dirs, self.home()) {
            (true, Some(home)) => vendor_extensions(&home),
            _ => Vec::new(),
        };
        let machine = Machine::host();
        let host = ExtensionHost::open(HostRequest { settings, machine, more_folders, runtimes, keys });
        for line in &host.log {
            self.printer.say(line);
        }
        for (folder, error) in &host.set.unread {
            self.warn("W_EXT_FOLDER", format!("it cannot be listed: {error}"), folder);
        }
        for (folder, error) in host.unread_folders() {
            self.warn("W_EXT_FOLDER", format!("it cannot be listed: {error}"), folder);
        }
        for ExtensionWarning { code, text, path } in &host.set.warnings {
            self.warn(code, text.clone(), path);
        }
        Ok(host)
    }

    /// Where extensions were looked for: a folder that was set and does not exist is easily a typing error.
    pub fn say_no_extensions(&self, host: &ExtensionHost) {
        let shown = |folder: &PathBuf| {
            let missing = if folder.exists() { "" } else { " (does not exist)" };
            format!("{}{missing}", folder.display())
        };
        let folders: Vec<String> = host.settings.extensions.value.iter().map(shown).collect();
        self.printer.say(&format!("no extensions in {}", folders.join(", ")));
    }

    pub fn warn(&self, code: &'static str, text: String, place: &Path) {
        let place = Some(place.display().to_string());
        self.printer.tell(Event::Warning { code, text, place, hint: None });
    }

    pub fn work(&self) -> Work {
        let printer = Arc::clone(&self.printer);
        Work {
            environment: self.environment.clone(),
            cancelled: Arc::clone(&self.cancelled),
            listener: Arc::new(move |event| printer.tell(event)),
            ..Work::quiet()
        }
    }
}

/// Where somebody wrote the value of a setting, for messages.
fn given_in(setting: SettingKey, origin: SettingOrigin, options: &ExtensionOptions) -> String {
    let SettingKey { key, variable, .. } = setting;
    match (origin, &options.settings) {
        (SettingOrigin::Settings, Some(file)) if options.set.iter().all(|(name, _)| name != key) => {
            format!("{key} in `{}`", file.display())
        }
        (SettingOrigin::Settings, _) => format!("--set {key}"),
        (SettingOrigin::Property, _) => format!("-D {key}"),
        (SettingOrigin::Environment, _) => variable.to_owned(),
        (SettingOrigin::Default, _) => key.to_owned(),
    }
}
