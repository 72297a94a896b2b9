//! The resolver for commands that resolve and build nothing.

use config_merger::{Config, Repository};
use vocab::Fault;

use interpreter::BaseRequest;
use interpreter::host_python::HostPython;
use resolve::{AnsweredQuestions, Uv};
use store::Context;

#[derive(Debug, thiserror::Error, Fault)]
#[error("this machine's platform is not supported")]
#[fault("E_PLATFORM_HOST", Usage)]
struct NoHost;

/// Sets up uv with an interpreter of the version's own minor version, which is fetched into the store if missing.
pub fn resolver(context: &Context, repository: &Repository, config: &Config) -> Result<Uv, Box<dyn Fault>> {
    let folder = repository.root().join(config.version.folder_name());
    let request = BaseRequest::of(config, &folder, &context.environment, None, true);
    let python = HostPython::new(&request).ok_or(NoHost)?.interpreter(context)?;
    Ok(Uv::find(context, &python, &AnsweredQuestions::default())?)
}
