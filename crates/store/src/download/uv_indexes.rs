//! The indexes that the user has told uv or pip of, in variables and in uv's settings files, with what is said there
//! of their credentials.

use std::path::{Path, PathBuf};

use toml::{Table, Value};
use url::Url;
use vocab::{Environment, Fault, FlagError, TextPlace};
use web::{Credentials, Secret};

use super::client_certificate;

/// Variables of uv and pip whose values are index URLs, separated by blanks where several may be given.
const INDEX_VARIABLES: [&str; 6] =
    ["UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"];

/// One index that the user names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserIndex {
    /// As in `[[index]]` of uv's settings, or before the `=` in its variables.
    pub name: Option<String>,
    /// Without user and password.
    pub url: Url,
    /// Those of `UV_INDEX_<NAME>_USERNAME` and `_PASSWORD`, or else those in the URL. The password may be empty.
    pub credentials: Option<Credentials>,
    pub authenticate: Authenticate,
}

/// When an index gets credentials, as `authenticate` in uv's settings says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Authenticate {
    /// Those given for it at once, others if it refuses a request without.
    #[default]
    Auto,
    /// At once, wherever they come from. Nothing is asked without.
    Always,
    /// None at all.
    Never,
}

impl Authenticate {
    /// The word in uv's settings, unless it is uv's own default.
    pub fn word(self) -> Option<&'static str> {
        match self {
            Self::Auto => None,
            Self::Always => Some("always"),
            Self::Never => Some("never"),
        }
    }

    fn of_word(word: Option<&str>) -> Self {
        let known = [Self::Always, Self::Never].into_iter().find(|it| it.word() == word);
        known.unwrap_or_default()
    }
}

impl UserIndex {
    /// `entry` is a URL or `name=URL`. `None` if that is not the URL of a server.
    fn read(entry: &str, name: Option<&str>, authenticate: Authenticate, environment: &Environment) -> Option<Self> {
        let (own_name, text) = named(entry);
        let name = name.or(own_name).map(str::to_owned);
        let mut url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
        let credentials =
            name.as_deref().and_then(|name| of_variables(name, environment)).or_else(|| Credentials::of_url(&url));
        url.set_username("").ok()?;
        url.set_password(None).ok()?;
        Some(Self { name, url, credentials, authenticate })
    }
}

impl UserIndex {
    /// An index of the configuration. `None` if that is not the URL of a server.
    pub fn of_url(text: &str) -> Option<Self> {
        Self::read(text, None, Authenticate::Auto, &Environment::default())
    }

    /// Whether the URL is one of the index's pages or files, which may lie beside a last folder `simple`.
    pub(super) fn contains(&self, url: &Url) -> bool {
        url.origin() == self.url.origin() && is_path_below(url.path(), root_of(self.url.path()))
    }

    /// Whether the URL is the page of a distribution.
    pub(super) fn has_page(&self, url: &Url) -> bool {
        let name = url.path().strip_prefix(self.url.path().trim_end_matches('/'));
        self.contains(url) && name.is_some_and(|name| name.starts_with('/') && !name.trim_matches('/').contains('/'))
    }

    /// How much of a URL it decides about.
    pub(super) fn reach(&self) -> usize {
        root_of(self.url.path()).len()
    }
}

/// The path of an index without slashes at its end and without a last folder `simple`, which holds its pages alone.
pub(super) fn root_of(path: &str) -> &str {
    let path = path.trim_end_matches('/');
    let root = path.strip_suffix("/simple").or_else(|| path.strip_suffix("/+simple")).unwrap_or(path);
    root.trim_end_matches('/')
}

/// Whether `path` is `root`, which has no slash at its end, or below it.
pub(super) fn is_path_below(path: &str, root: &str) -> bool {
    path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Name and URL of `name=URL`, whose URL may also contain `=`.
pub fn named(entry: &str) -> (Option<&str>, &str) {
    match entry.split_once('=').filter(|(name, _)| !name.contains([':', '/', '\\'])) {
        Some((name, url)) => (Some(name), url),
        None => (None, entry),
    }
}

/// In order of precedence: those of variables, then those of the user's and the system's settings files.
pub(super) fn of(environment: &Environment) -> Vec<UserIndex> {
    let of_variables = INDEX_VARIABLES
        .iter()
        .filter_map(|name| environment.text(name))
        .flat_map(str::split_whitespace)
        .filter_map(|entry| UserIndex::read(entry, None, Authenticate::Auto, environment));
    let of_files = settings(environment).into_iter().flat_map(|settings| of_settings(&settings, environment));
    of_variables.chain(of_files).collect()
}

fn of_settings(settings: &Table, environment: &Environment) -> Vec<UserIndex> {
    let mut found = Vec::new();
    let pip = settings.get("pip").and_then(Value::as_table);
    for table in [Some(settings), pip].into_iter().flatten() {
        for index in table.get("index").and_then(Value::as_array).into_iter().flatten() {
            let text = |key: &str| index.get(key).and_then(Value::as_str);
            let authenticate = Authenticate::of_word(text("authenticate"));
            found.extend(text("url").and_then(|url| UserIndex::read(url, text("name"), authenticate, environment)));
        }
        let urls = table.get("index-url").into_iter().chain(table.get("extra-index-url"));
        for value in urls {
            let several = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
            let several = several.iter().filter_map(Value::as_str);
            found.extend(several.filter_map(|url| UserIndex::read(url, None, Authenticate::Auto, environment)));
        }
    }
    found
}

/// What `UV_INDEX_<NAME>_USERNAME` and `UV_INDEX_<NAME>_PASSWORD` say.
fn of_variables(name: &str, environment: &Environment) -> Option<Credentials> {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_uppercase() } else { '_' };
    let prefix = format!("UV_INDEX_{}", name.chars().map(plain).collect::<String>());
    let user = environment.text(&format!("{prefix}_USERNAME"));
    let password = environment.text(&format!("{prefix}_PASSWORD"));
    let secret = |text: Option<&str>| Secret::new(text.unwrap_or_default());
    (user.is_some() || password.is_some()).then(|| Credentials { user: secret(user), password: secret(password) })
}

/// The default index that uv's variables or else its settings files name, as it stands there. `None` if none does.
pub fn default_index(environment: &Environment) -> Option<String> {
    let in_variables = environment.text("UV_DEFAULT_INDEX").or_else(|| environment.text("UV_INDEX_URL"));
    let in_variables = in_variables.map(|text| named(text).1.to_owned());
    in_variables.or_else(|| settings(environment).iter().find_map(default_of_settings))
}

fn default_of_settings(settings: &Table) -> Option<String> {
    let pip = settings.get("pip").and_then(Value::as_table);
    let tables = [pip, Some(settings)];
    let indexes = || tables.iter().flatten().filter_map(|table| table.get("index")?.as_array()).flatten();
    let is_default = |index: &&Value| index.get("default").and_then(Value::as_bool) == Some(true);
    let simple = || tables.iter().flatten().find_map(|table| table.get("index-url")?.as_str());
    indexes().find(is_default).and_then(|index| index.get("url")?.as_str()).or_else(simple).map(str::to_owned)
}

/// Whether uv is to ask the program `keyring`.
pub(super) fn asks_keyring(environment: &Environment) -> bool {
    let word = environment.text("UV_KEYRING_PROVIDER").map(str::to_owned).or_else(|| {
        settings(environment).iter().find_map(|settings| {
            let pip = settings.get("pip").and_then(Value::as_table);
            let found = pip.and_then(|pip| pip.get("keyring-provider")).or_else(|| settings.get("keyring-provider"));
            Some(found?.as_str()?.to_owned())
        })
    });
    word.as_deref() == Some("subprocess")
}

/// What uv's settings files say, the more important first. One that is absent counts as empty; [`check_settings`]
/// refuses what cannot be understood.
pub fn settings(environment: &Environment) -> Vec<Table> {
    let read = |path: PathBuf| vocab::read_regular_text(&path).ok()?.parse::<Table>().ok();
    files(environment).into_iter().filter_map(read).collect()
}

/// Why uv's settings cannot be used. The message holds nothing of their text, which may have a password in it.
#[derive(Debug, thiserror::Error, Fault)]
#[fault(
    "E_UV_SETTINGS",
    Usage,
    hint("mend it, or unset UV_CONFIG_FILE; with UV_NO_CONFIG=1 no settings file of uv is read")
)]
pub enum UvSettingsError {
    #[error("uv's settings file `{}`, which UV_CONFIG_FILE names, is not there", path.display())]
    Absent { path: PathBuf },
    #[error("cannot read uv's settings file `{}`", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("uv's settings file is not TOML: {}:{}:{}", place.file, place.line, place.column)]
    Toml { place: TextPlace },
    #[error("`{}`, which SSL_CLIENT_CERT names, cannot be used: {reason}", path.display())]
    #[fault(hint(
        "name a file in PEM that has the client's certificate (X.509 version 3) and its key, or unset SSL_CLIENT_CERT"
    ))]
    ClientCertificate { path: PathBuf, reason: String },
    #[error(transparent)]
    #[fault(transparent)]
    Flag(#[from] FlagError),
}

/// Whether uv's settings files can be read, and the client's certificate. Otherwise what they say of indexes would be lost, and another index asked
/// in place of the one that they name.
///
/// # Errors
/// The file that UV_CONFIG_FILE names is absent, or one that is there cannot be read or understood; or the file of
/// SSL_CLIENT_CERT has no certificate or no key.
pub fn check_settings(environment: &Environment) -> Result<(), UvSettingsError> {
    environment.flag("UV_NO_CONFIG")?;
    if let Some(path) = client_certificate::file(environment)
        && let Some(reason) = client_certificate::unusable(&path)
    {
        return Err(UvSettingsError::ClientCertificate { path, reason });
    }
    let is_named = environment.path("UV_CONFIG_FILE").is_some();
    for path in files(environment) {
        let text = match vocab::read_regular_text(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !is_named => continue,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(UvSettingsError::Absent { path }),
            Err(source) => return Err(UvSettingsError::Read { path, source }),
        };
        if let Err(error) = text.parse::<Table>() {
            let offset = error.span().map_or(0, |span| span.start);
            let place = TextPlace::at_offset(&path.display().to_string(), &text, offset);
            return Err(UvSettingsError::Toml { place });
        }
    }
    Ok(())
}

/// Where uv would look: the file that a variable names, or else the user's and the system's.
fn files(environment: &Environment) -> Vec<PathBuf> {
    if environment.flag("UV_NO_CONFIG").unwrap_or(true) {
        return Vec::new();
    }
    if let Some(file) = environment.path("UV_CONFIG_FILE") {
        return vec![file.to_owned()];
    }
    let below = |folder: &Path| folder.join("uv").join("uv.toml");
    if cfg!(windows) {
        let system =
            environment.path("SYSTEMDRIVE").map(|drive| PathBuf::from(format!(r"{}\ProgramData", drive.display())));
        return environment
            .path("APPDATA")
            .map(Path::to_owned)
            .into_iter()
            .chain(system)
            .map(|it| below(&it))
            .collect();
    }
    let home = || environment.path("HOME").map(|home| home.join(".config"));
    let user = environment.path("XDG_CONFIG_HOME").map(Path::to_owned).or_else(home);
    let system = environment.text("XDG_CONFIG_DIRS").unwrap_or("/etc/xdg").split(':').map(PathBuf::from);
    user.into_iter().chain(system).chain([PathBuf::from("/etc")]).map(|folder| below(&folder)).collect()
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        let none = [("UV_NO_CONFIG", "1")];
        let mut all: Vec<_> = variables.to_vec();
        if !variables.iter().any(|(name, _)| *name == "UV_CONFIG_FILE") {
            all.extend(none);
        }
        Environment::new(all.into_iter().map(|(name, value)| (OsString::from(name), OsString::from(value))))
    }

    fn shown(index: &UserIndex) -> (Option<&str>, &str, String) {
        let credentials = index.credentials.as_ref();
        let text = credentials.map(|it| format!("{}:{}", it.user.reveal(), it.password.reveal()));
        (index.name.as_deref(), index.url.as_str(), text.unwrap_or_default())
    }

    #[test]
    fn variables_name_indexes_and_their_credentials() {
        let environment = environment(&[
            ("UV_DEFAULT_INDEX", "my-corp.x=https://x.example/simple"),
            ("UV_INDEX", "corp=https://a:1@one.example/simple https://two.example/simple?a=b"),
            ("PIP_EXTRA_INDEX_URL", "https://b:2@three.example:8443/simple file:///x"),
            ("UV_INDEX_MY_CORP_X_USERNAME", "ada"),
            ("UV_INDEX_MY_CORP_X_PASSWORD", "a/b"),
            ("UV_INDEX_CORP_PASSWORD", "token"),
        ]);
        let indexes = of(&environment);
        let expected = [
            (Some("my-corp.x"), "https://x.example/simple", "ada:a/b".to_owned()),
            // The variables come before what the URL says, as with uv.
            (Some("corp"), "https://one.example/simple", ":token".to_owned()),
            (None, "https://two.example/simple?a=b", String::new()),
            (None, "https://three.example:8443/simple", "b:2".to_owned()),
        ];
        assert_eq!(indexes.iter().map(shown).collect::<Vec<_>>(), expected);
        assert!(!format!("{indexes:?}").contains("a/b"));
    }

    #[test]
    fn settings_files_name_indexes_too_and_a_broken_one_counts_as_empty() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("uv.toml");
        let text = "
            keyring-provider = 'subprocess'
            index-url = 'https://me:pw@mirror.example/simple'
            [[index]]
            name = 'corp'
            url = 'https://corp.example/simple'
            authenticate = 'always'
            [pip]
            extra-index-url = ['https://extra.example/', 7, 'no URL']
        ";
        let name = file.to_str().unwrap();
        let environment =
            environment(&[("UV_CONFIG_FILE", name), ("UV_INDEX_CORP_USERNAME", "u"), ("UV_INDEX_CORP_PASSWORD", "p")]);
        let fault = check_settings(&environment).unwrap_err();
        assert!(fault.to_string().ends_with("which UV_CONFIG_FILE names, is not there"), "{fault}");
        std::fs::write(&file, text).unwrap();
        assert!(check_settings(&environment).is_ok());
        let indexes = of(&environment);
        let expected = [
            (Some("corp"), "https://corp.example/simple", "u:p".to_owned()),
            (None, "https://mirror.example/simple", "me:pw".to_owned()),
            (None, "https://extra.example/", String::new()),
        ];
        assert_eq!(indexes.iter().map(shown).collect::<Vec<_>>(), expected);
        assert_eq!(indexes.iter().filter_map(|index| index.authenticate.word()).collect::<Vec<_>>(), ["always"]);
        assert!(asks_keyring(&environment));
        std::fs::write(&file, "a = 1\nindex = 'https://u:secret@x/' y").unwrap();
        let fault = check_settings(&environment).unwrap_err();
        assert_eq!((fault.code(), fault.exit()), ("E_UV_SETTINGS", vocab::Exit::Usage));
        let text = fault.to_string();
        assert!(text.starts_with("uv's settings file is not TOML: ") && text.contains("uv.toml:2:"), "{text}");
        assert!(!text.contains("secret"), "{text}");
    }

    #[test]
    fn settings_that_are_switched_off_or_absent_in_the_usual_places_are_no_fault() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().to_str().unwrap();
        let settings = |no_config: &str| {
            let variables = [("XDG_CONFIG_HOME", home), ("XDG_CONFIG_DIRS", home), ("UV_NO_CONFIG", no_config)];
            Environment::new(variables.map(|(name, value)| (OsString::from(name), OsString::from(value))))
        };
        assert!(check_settings(&settings("0")).is_ok());
        assert!(check_settings(&settings("maybe")).is_err());
        if cfg!(unix) {
            std::fs::create_dir(folder.path().join("uv")).unwrap();
            std::fs::write(folder.path().join("uv/uv.toml"), "index = [").unwrap();
            assert!(check_settings(&settings("0")).is_err());
            assert!(check_settings(&settings("1")).is_ok());
        }
    }

    #[test]
    fn the_variable_decides_whether_the_keyring_is_asked() {
        let cases = [("subprocess", true), ("disabled", false), ("native", false)];
        for (word, expected) in cases {
            assert_eq!(asks_keyring(&environment(&[("UV_KEYRING_PROVIDER", word)])), expected, "for {word}");
        }
        assert!(!asks_keyring(&environment(&[])));
    }
}
