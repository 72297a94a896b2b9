//! A Klio or Beam job folder → every fault in it before submission, and the archive that Beam's workers install.
//!
//! A job is a folder with `klio-job.yaml`, `setup.py` and modules. Beam makes a source archive of it at submission, and
//! each worker installs that: most faults are found there, minutes later, or not at all. Here they are found first
//! ([`Finding`]), all at once, and the archive has the same bytes wherever it is made.
//!
//! What holds: the job folder is only read, and never trusted: its code runs in a copy, in an environment of ours, with
//! a time limit, and without a network where this machine can do that.
//!
//! ```
//! use job::{ConfigRequest, code, load_config};
//!
//! let folder = tempfile::tempdir()?;
//! std::fs::write(folder.path().join("klio-job.yaml"), "job_name: x\njob_name: y\n")?;
//! let (configs, findings) = load_config(folder.path(), &ConfigRequest::default());
//! assert!(configs.is_empty());
//! assert_eq!((findings[0].code, findings[0].line), (code::KJ011, Some(2)));
//! # Ok::<(), std::io::Error>(())
//! ```

mod agreement;
mod asked_python;
mod bake;
mod bake_outputs;
mod bake_request;
mod check;
pub mod code;
mod command_checks;
mod commands;
mod config;
pub mod config_text;
mod container_image;
mod effective_config;
mod file_checks;
mod finding;
mod job_back_end;
mod job_copy;
mod job_error;
mod job_folder;
mod job_indexes;
mod job_manifest;
mod job_requirements;
mod job_runtime;
mod job_wheel;
mod kept_room;
mod level;
mod packaging_checks;
mod question_server;
mod requirement_lines;
mod requirements;
mod results_folder;
mod secrets;
mod setup_checks;
mod setup_facts;
mod shared_paths;
mod stage;
mod staged_packages;
mod staging_checks;
mod target_python;
mod template;
mod verify;
mod verify_report;
mod worker;
mod worker_image;
mod workflow;
mod workplace;
mod yaml;

pub use bake::{Baked, bake, keep_verified};
pub use bake_request::BakeRequest;
pub use check::{CheckReport, CheckRequest, SETUP_LIMIT, check, counted};
pub use commands::{CommandPlan, CommandRule, PipInstall, SystemPackage};
pub use config::{ConfigRequest, DEFAULT_CONFIG, RUN_EFFECTIVE, load as load_config};
pub use effective_config::{EffectiveConfig, Packaging, Runner};
pub use finding::{Finding, has_errors, judged};
pub use image::{BaseImage, LayerCompression, WrittenImage};
pub use job_error::JobError;
pub use job_folder::{JobFile, JobFolder, JobFolderError, inside};
pub use job_indexes::JobIndexes;
pub use job_manifest::{
    ArchiveRow, CommandRow, ConfigRow, DataFileRow, DependencyRow, FindingRow, JOB_MANIFEST, JOB_MANIFEST_FORMAT,
    JobManifest, JobRow, PythonRow, WorkflowRow,
};
pub use job_runtime::JOB_LOCK;
pub use level::Level;
pub use results_folder::hold_results;
pub use setup_facts::{
    CommandCall, DataFiles, FixedPath, Import, ManifestRule, ModuleFacts, OwnCommand, SetupCall, SetupFacts,
    SetupFailure,
};
pub use shared_paths::shared_paths;
pub use stage::{Staged, StagedFile, WORKFLOW, stage};
pub use staged_packages::{IndexStrategy, PackageSettings};
pub use target_python::target_python;
pub use verify::verify;
pub use verify_report::{VerifyOutcome, VerifyReport, VerifyStep};
pub use worker_image::{WorkerImage, check_base, write_image, write_image_anew};
pub use workplace::Workplace;
