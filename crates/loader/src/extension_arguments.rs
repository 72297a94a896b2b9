//! The command line of `pydist extension`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use extension::DistributionId;

/// What to do with extensions.
#[derive(Debug, Subcommand)]
pub enum ExtensionCommand {
    /// List extensions: which are available, which are not, and why.
    #[command(after_help = "Examples:
  pydist extension list
  pydist extension list -D pysdk.pel.extLoc=/opt/extensions --json")]
    List {
        #[command(flatten)]
        options: ExtensionOptions,
    },
    /// Show what is in an extension zip. Nothing of it is run or written.
    ///
    /// Every entry is decoded and judged as if it were extracted.
    #[command(after_help = "Examples:
  pydist extension inspect text_tools-1.2.0.zip
  pydist extension inspect text_tools-1.2.0.zip --json")]
    Inspect {
        /// The extension.
        zip: PathBuf,
    },
    /// Decide which Python distribution an extension gets.
    ///
    /// Nothing is installed. `ID` is the namespace of an extension, or a distribution: KEY or KEY:VERSION.
    #[command(after_help = "Examples:
  pydist extension resolve text_tools --explain
  pydist extension resolve custom:1.0.0 --set pysdk.pel.airGapped=true --explain
  pydist extension resolve 3.12.10-atls --json")]
    Resolve {
        /// The namespace of an extension, or KEY or KEY:VERSION of a distribution.
        id: String,
        /// Show every fact with what was looked at, and the row of the table that decided.
        #[arg(long)]
        explain: bool,
        #[command(flatten)]
        options: ExtensionOptions,
    },
    /// Make distributions ready: install or verify them, and start their Python once.
    ///
    /// Without an ID, the distributions of all available extensions. Prints a folder for each.
    #[command(
        visible_alias = "install",
        after_help = "Examples:
  pydist extension prepare
  pydist extension prepare custom:1.0.0 -D pysdk.pel.resourceLoc=/media/stick"
    )]
    Prepare {
        /// The namespace of an extension, or KEY or KEY:VERSION of a distribution.
        id: Vec<String>,
        #[command(flatten)]
        options: ExtensionOptions,
    },
    /// Read every file of installed distributions and compare it with what was installed.
    ///
    /// Without an ID, the distributions of all available extensions. Exit code 4 if something is damaged, 5 if something is not
    /// installed.
    #[command(after_help = "Examples:
  pydist extension verify
  pydist extension verify custom:1.0.0 --repair")]
    Verify {
        /// The namespace of an extension, or KEY or KEY:VERSION of a distribution.
        id: Vec<String>,
        /// Install again what is damaged or not installed.
        #[arg(long)]
        repair: bool,
        #[command(flatten)]
        options: ExtensionOptions,
    },
    /// Remove from the cache what no extension needs any more.
    ///
    /// Unpacked extensions whose zips are gone, and what runs left behind; nothing that is younger than a day.
    #[command(after_help = "Examples:
  pydist extension clean --dry-run
  pydist extension clean")]
    Clean {
        /// Show what would be removed.
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        options: ExtensionOptions,
    },
    /// Put the packages of a distribution into one file, for machines without a network.
    ///
    /// FOLDER has `channel/SUBDIR/` with conda packages and their repodata.json, and may have `wheels/` and `lock/`. What
    /// repodata.json lists has to be there, with its SHA-256. Prints the path of `pydist-channel-KEY-VERSION-OS.zip`.
    #[command(after_help = "Examples:
  pydist extension bundle packages --id custom:1.0.0
  pydist extension bundle packages --id custom:1.0.0 --os windows --out /media/stick")]
    Bundle {
        /// The folder with the packages.
        folder: PathBuf,
        /// KEY or KEY:VERSION of the distribution.
        #[arg(long, value_name = "ID")]
        id: DistributionId,
        /// Whose packages go along; defaults to this machine's system.
        #[arg(long, value_parser = ["linux", "macos", "windows"])]
        os: Option<String>,
        /// Where to write it.
        #[arg(long, value_name = "DIR", default_value = ".")]
        out: PathBuf,
    },
    /// Say which file under which name in which folder makes each extension run.
    ///
    /// Ends with exit code 5 if an extension or its distribution is not available.
    #[command(after_help = "Examples:
  pydist extension doctor
  pydist extension doctor --set pysdk.pel.airGapped=true --set pysdk.pel.disableMiniforge=true")]
    Doctor {
        #[command(flatten)]
        options: ExtensionOptions,
    },
    /// Build an extension zip from a folder with extension.toml and a Python package.
    ///
    /// Functions that the package's `__init__.py` has become operators; the distribution's Python describes them. The same input
    /// gives the same bytes (`SOURCE_DATE_EPOCH` sets the time of entries). Prints the path of the zip. `minisign -S` signs it.
    #[command(after_help = "Examples:
  pydist extension build text_tools
  pydist extension build text_tools --out extensions --python python3.12/bin/python3")]
    Build {
        /// The folder with extension.toml.
        folder: PathBuf,
        /// Where to write NAMESPACE-VERSION.zip.
        #[arg(long, value_name = "DIR", default_value = ".")]
        out: PathBuf,
        /// The Python that describes the functions; defaults to that of the distribution that the extension asks for.
        #[arg(long, value_name = "PROGRAM")]
        python: Option<PathBuf>,
        #[command(flatten)]
        options: ExtensionOptions,
    },
    /// Run an operator of an extension.
    ///
    /// The extension's distribution is made ready, a Python server is started on it, and the function is called. What it logs
    /// and prints goes to standard error; one line for each output goes to standard output. Files ending in .arrow (an Arrow
    /// stream), .csv or .json.gz are tables; any other is given to the operator as a path.
    #[command(after_help = "Examples:
  pydist extension run text_tools:count_words --in table=texts.csv --out result=counts.csv
  pydist extension run text_tools:train -p rounds=10 -p mode=fast --in table=texts.arrow --out model=model.bin
  pydist extension run shop:load --connection db=db.json --seed 1 --json")]
    Run(RunArguments),
    /// Serve a host of another language: it asks on standard input, and is answered on standard output.
    ///
    /// Requests and answers are lines of JSON (docs/formats/host-protocol.md); several may be under way at once. Python servers
    /// stay for further calls, and end with the host.
    #[command(after_help = "Examples:
  pydist extension serve --stdio
  pydist extension serve --stdio -D pysdk.pel.extLoc=/opt/extensions --set loader.maxServers=2")]
    Serve {
        /// Use standard input and output; the only way that there is.
        #[arg(long, required = true)]
        stdio: bool,
        #[command(flatten)]
        options: ExtensionOptions,
    },
    /// Show every setting with its value, and where that was set.
    #[command(after_help = "Examples:
  pydist extension settings
  pydist extension settings --settings loader.toml --set loader.profile=studio:2025.1.0")]
    Settings {
        #[command(flatten)]
        options: ExtensionOptions,
    },
}

/// What `pydist extension run` takes.
#[derive(Args, Debug)]
pub struct RunArguments {
    /// The operator: NAMESPACE:FUNCTION.
    #[arg(value_name = "NAMESPACE:FUNCTION", value_parser = operator)]
    pub operator: (String, String),
    /// Set a parameter. Lists and objects are JSON. May be repeated.
    #[arg(long = "param", short = 'p', value_name = "NAME=VALUE", value_parser = pair)]
    pub parameters: Vec<(String, String)>,
    /// Give an input from a file. May be repeated.
    #[arg(long = "in", value_name = "PORT=FILE", value_parser = file)]
    pub inputs: Vec<(String, PathBuf)>,
    /// Write an output to a file. May be repeated.
    #[arg(long = "out", value_name = "PORT=FILE", value_parser = file)]
    pub outputs: Vec<(String, PathBuf)>,
    /// Give a connection from a JSON file with `values` (dotted keys) and `secrets` (those that are never shown).
    #[arg(long = "connection", value_name = "PORT=FILE", value_parser = file)]
    pub connections: Vec<(String, PathBuf)>,
    /// Passed as `random_seed` to functions that take `**kwargs`.
    #[arg(long)]
    pub seed: Option<i64>,
    #[command(flatten)]
    pub options: ExtensionOptions,
}

fn operator(text: &str) -> Result<(String, String), &'static str> {
    let (namespace, function) = text.split_once(':').ok_or("NAMESPACE:FUNCTION is expected")?;
    let is_whole = !namespace.is_empty() && !function.is_empty();
    if is_whole { Ok((namespace.to_owned(), function.to_owned())) } else { Err("NAMESPACE:FUNCTION is expected") }
}

fn file(text: &str) -> Result<(String, PathBuf), &'static str> {
    pair(text).map(|(port, path)| (port, PathBuf::from(path))).map_err(|_| "PORT=FILE is expected")
}

/// Settings on the command line. The first that says something counts: `--set`, the settings file, `-D`, the environment.
#[derive(Args, Clone, Debug, Default)]
pub struct ExtensionOptions {
    /// Set a setting, such as pysdk.pel.airGapped=true. May be repeated.
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    pub set: Vec<(String, String)>,
    /// Set it as a system property would; `--set` counts first. May be repeated.
    #[arg(long, short = 'D', value_name = "KEY=VALUE", value_parser = pair)]
    pub define: Vec<(String, String)>,
    /// Read settings from this TOML file, below `[settings]`.
    #[arg(long, value_name = "FILE")]
    pub settings: Option<PathBuf>,
    /// Where `pydist get` installed runtimes; defaults to PYDIST_RUNTIMES, else to the user's data folder.
    #[arg(long, value_name = "DIR")]
    pub runtimes: Option<PathBuf>,
    /// Also search the folders in which the vendor's products look for extensions.
    #[arg(long)]
    pub include_vendor_dirs: bool,
}

fn pair(text: &str) -> Result<(String, String), &'static str> {
    let (key, value) = text.split_once('=').ok_or("KEY=VALUE is expected")?;
    if key.is_empty() { Err("KEY=VALUE is expected") } else { Ok((key.to_owned(), value.to_owned())) }
}
