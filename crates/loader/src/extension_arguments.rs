//! The command line of `pydist extension`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

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
    #[command(after_help = "Examples:
  pydist extension prepare
  pydist extension prepare custom:1.0.0 -D pysdk.pel.resourceLoc=/media/stick")]
    Prepare {
        /// The namespace of an extension, or KEY or KEY:VERSION of a distribution.
        id: Vec<String>,
        #[command(flatten)]
        options: ExtensionOptions,
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
    /// Show every setting with its value, and where that was set.
    #[command(after_help = "Examples:
  pydist extension settings
  pydist extension settings --settings loader.toml --set loader.profile=studio:2025.1.0")]
    Settings {
        #[command(flatten)]
        options: ExtensionOptions,
    },
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
    /// Where `pydist get` installed runtimes; defaults to the user's data folder.
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
