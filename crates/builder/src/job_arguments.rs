//! The command line of `builder job`.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};
use cli::{BaseOptions, ImageOptions};

#[derive(Debug, Subcommand)]
pub enum JobCommand {
    /// Report everything in a job that fails at submission or on workers, all at once.
    ///
    /// Runs setup.py in a copy of the job, up to its call of setup(). The job folder is only read.
    #[command(after_help = "Exit codes: 0 no errors, 1 the job has errors, 2 usage.

Examples:
  builder job check jobs/audio
  builder job check jobs/audio --config klio-job-staging.yaml -T env=staging
  builder job check jobs/audio --python 3.8 --strict --json
  builder job check jobs/audio --allow KJ052 --fnapi-conflict warn
  builder job check jobs/audio --system-packages error --commands deny
  builder job check jobs/audio -O pipeline_options.streaming=false --set-json 'pipeline_options.experiments=[\"x\"]'
  builder job check jobs/audio --index-url https://pypi.example/simple --extra-index-url https://own.example/simple
  builder job check jobs/audio --find-links wheels --offline
  builder job check jobs/audio --with jobs/video
  builder job check jobs/audio --keep-work")]
    Check(JobsCheckArguments),
    /// Check a job, then make the archive that its workers install, with the same bytes everywhere.
    #[command(
        after_help = "Exit codes: 0 done, 1 the job has errors, 2 usage, 3 the archive cannot be made, 5 something was not staged (listed).

Examples:
  builder job stage jobs/audio
  builder job stage jobs/audio --out staging --python 3.10
  builder job stage jobs/audio --index-strategy best
  builder job stage jobs/audio --raw-sdist"
    )]
    Stage(JobStageArguments),
    /// Stage a job, then make a runtime with it and all that it requires, from which workers start without pip.
    ///
    /// The wheel is built from the staged archive. Distributions are locked in job.lock beside the results.
    #[command(
        after_help = "Exit codes: 0 done, 1 the job has errors or nothing satisfies its requirements, 2 usage, 3 the archive or the wheel cannot be made, 4 a file differs from the lock.

Examples:
  builder job bake jobs/audio
  builder job bake jobs/audio --python 3.10 --extra-index-url https://python.example/simple
  builder job bake jobs/audio --out out --lock out/job.lock --commands deny
  builder job bake jobs/audio --base beam"
    )]
    Bake(Box<JobBakeArguments>),
    /// Bake a job and verify the runtime.
    #[command(after_help = "Exit codes: as of `builder job bake`, and 3 if the runtime does not pass.

Examples:
  builder job package jobs/audio
  builder job package jobs/audio --skip-module transforms
  builder job package jobs/audio --no-verify --data-prefix-compat")]
    Package(Box<JobPackageArguments>),
    /// Import a baked job's modules and find its data files, at another path and without a network.
    #[command(after_help = "Exit codes: 0 passed, or the platform cannot run here, 2 usage, 3 failed.

Examples:
  builder job verify pydist-out/audio/audio-0.0.1-py312-linux-x64.tar.zst")]
    Verify(JobVerifyArguments),
    /// Write the image of a worker from a baked job: an OCI image layout, without Docker.
    ///
    /// The base brings a system with glibc and Beam's boot program; our layers lie over it. Equal input gives an equal digest,
    /// which is the last line of the output. A base is an OCI image layout too, as
    /// `skopeo copy docker://apache/beam_python3.12_sdk:2.77.0 oci:beam` writes one.
    #[command(after_help = "Examples:
  builder job image pydist-out/audio/audio-0.0.1-py312-linux-x64.tar.zst --base beam --to worker
  builder job image pydist-out/audio/audio-0.0.1-py312-linux-x64.tar.zst --without-base --gzip --to layers")]
    Image(JobImageArguments),
    /// Explain the code of a finding.
    #[command(after_help = "Examples:
  builder job explain KJ041")]
    Explain {
        /// A code such as KJ041.
        #[arg(value_name = "CODE")]
        code: String,
    },
}

#[derive(Args, Debug, Clone)]
pub struct JobsCheckArguments {
    #[command(flatten)]
    pub check: JobCheckArguments,
    /// Another job that shares an environment with this one: also report files that both install.
    #[arg(long, value_name = "DIR")]
    pub with: Vec<PathBuf>,
}

#[derive(Args, Debug, Clone)]
pub struct JobCheckArguments {
    /// The job folder, with klio-job.yaml and setup.py.
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// Configuration, relative to the job folder; several may be given [default: klio-job.yaml].
    #[arg(long, short, value_name = "FILE")]
    pub config: Vec<PathBuf>,
    /// Value for `$KEY` in the configuration.
    #[arg(long, short = 'T', value_name = "KEY=VALUE")]
    pub template: Vec<String>,
    /// Replace a value of the configuration: `pipeline_options.streaming=false`.
    #[arg(long, short = 'O', value_name = "PATH=VALUE")]
    pub r#override: Vec<String>,
    /// The same with a value in JSON, such as a list.
    #[arg(long, value_name = "PATH=JSON")]
    pub set_json: Vec<String>,
    /// Python of the workers, X.Y or X.Y.Z [default: that of the image in the job's Dockerfile, or 3.12].
    #[arg(long, value_name = "VERSION")]
    pub python: Option<String>,
    /// What a setup file together with the experiment beam_fn_api is: Klio refuses both together.
    #[arg(long, value_name = "LEVEL", default_value = "error", value_parser = ["error", "warn"])]
    pub fnapi_conflict: String,
    /// What OS packages are that setup.py installs: recorded, or an error.
    #[arg(long, value_name = "RULE", default_value = "record", value_parser = ["record", "error"])]
    pub system_packages: String,
    /// What happens to other programs that setup.py starts: they run where the job is built, are only recorded, or are an
    /// error. Package managers and pip never run.
    #[arg(long, value_name = "RULE", default_value = "translate", value_parser = ["translate", "record", "deny"])]
    pub commands: String,
    /// Treat warnings as errors.
    #[arg(long)]
    pub strict: bool,
    /// Report findings with this code as notes.
    #[arg(long, value_name = "CODE")]
    pub allow: Vec<String>,
    /// Index of distributions, in place of the one that uv is set up with.
    #[arg(long, value_name = "URL")]
    pub index_url: Option<String>,
    /// A further index; what it has is taken from it alone.
    #[arg(long, value_name = "URL")]
    pub extra_index_url: Vec<String>,
    /// Folder or page with files of distributions.
    #[arg(long, value_name = "PATH")]
    pub find_links: Vec<String>,
    /// Use no network: what checks need must be in the store.
    #[arg(long, conflicts_with_all = ["index_url", "extra_index_url"])]
    pub offline: bool,
    /// Keep the folder in which the job's code ran, and print its path.
    #[arg(long)]
    pub keep_work: bool,
}

#[derive(Args, Debug, Clone)]
pub struct JobStageArguments {
    #[command(flatten)]
    pub check: JobCheckArguments,
    /// Which index answers for a distribution of the requirements file: the first that has a file that fits, or the one with
    /// the newest version.
    #[arg(long, value_name = "RULE", default_value = "first", value_parser = ["first", "best"])]
    pub index_strategy: String,
    /// Keep the bytes of the archive that the build back end made, which differ each time.
    #[arg(long)]
    pub raw_sdist: bool,
    /// Folder for results, outside of the job folder [default: pydist-out/JOB_NAME].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

#[derive(Args, Debug, Clone)]
#[command(group(ArgGroup::new("stands_on").args(["base"])))]
pub struct JobBakeArguments {
    #[command(flatten)]
    pub check: JobCheckArguments,
    /// Folder for results, outside of the job folder [default: pydist-out/JOB_NAME].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Platform of the workers, such as linux-x64 [default: host].
    #[arg(long, value_name = "PLATFORM")]
    pub platform: Option<String>,
    /// Install exactly what this lock says, or fail [default: job.lock in the folder for results, which may change].
    #[arg(long, value_name = "FILE")]
    pub lock: Option<PathBuf>,
    /// Resolve again, to newer versions where there are some.
    #[arg(long)]
    pub update_lock: bool,
    /// In worker.Dockerfile and the image, link data files below /usr/local, for jobs with fixed paths.
    #[arg(long)]
    pub data_prefix_compat: bool,
    /// Options of an image in the folder for results, `worker-image`.
    #[command(flatten, next_help_heading = "Image")]
    pub image: BaseOptions,
}

#[derive(Args, Debug, Clone)]
pub struct JobPackageArguments {
    #[command(flatten)]
    pub bake: JobBakeArguments,
    #[command(flatten)]
    pub verify: JobVerifyOptions,
    /// Do not verify the runtime.
    #[arg(long)]
    pub no_verify: bool,
}

#[derive(Args, Debug, Clone)]
pub struct JobVerifyOptions {
    /// Module that is not imported. May be repeated.
    #[arg(long, value_name = "MODULE")]
    pub skip_module: Vec<String>,
}

#[derive(Args, Debug, Clone)]
pub struct JobImageArguments {
    /// The runtime that `builder job bake` made, with its manifests beside it.
    #[arg(value_name = "ARCHIVE")]
    pub archive: PathBuf,
    /// Link data files below /usr/local, for jobs with fixed paths.
    #[arg(long)]
    pub data_prefix_compat: bool,
    #[command(flatten)]
    pub image: ImageOptions,
}

#[derive(Args, Debug, Clone)]
pub struct JobVerifyArguments {
    /// The runtime that `builder job bake` made, with manifest.json beside it.
    #[arg(value_name = "ARCHIVE")]
    pub archive: PathBuf,
    #[command(flatten)]
    pub verify: JobVerifyOptions,
}
