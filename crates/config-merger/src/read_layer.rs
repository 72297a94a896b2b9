//! Reads the keys of one configuration file.
//!
//! What is wrong is reported and left out, so one run finds everything. The resulting layer is normalised: names by PEP
//! 503, requirements in canonical text, short forms written out.

use url::Url;
use vocab::{DistributionName, TreePath};

use crate::complaint::Complaint;
use crate::layer::{
    BuildLayer, BuildWheelLayer, CopyFileLayer, HostName, IndexUrl, Layer, Name, PackagesLayer, PlatformLayer, Reason,
    ReasonsLayer, RegistriesLayer, RequirementText, ResolutionLayer, RunnersLayer,
};
use crate::reader::{ConfigCursor, ConfigReader};
use crate::requirement_text::{self, refuse_password};
use crate::{CopyTarget, Dependants, FindingCode, Scope};
use vocab::json::JsonNode;
use vocab::quoted::shown;

impl ConfigReader<'_> {
    /// Reads a whole file. What is wrong is missing in the result and listed in the report.
    pub(crate) fn layer(&mut self, root: &JsonNode) -> Layer {
        let at = ConfigCursor { node: root, pointer: String::new() };
        let Some(mut fields) = self.fields(&at) else { return Layer::default() };
        let layer = Layer {
            schema: fields.take("$schema").and_then(|at| self.string(&at, "the path of a schema").map(str::to_owned)),
            registries: fields.take("registries").and_then(|at| self.registries(&at)),
            packages: fields.take("packages").and_then(|at| self.packages(&at)),
            build: fields.take("build").and_then(|at| self.build(&at)),
            python: fields.take("python").and_then(|at| self.python(&at)),
            oldest_system: fields.take("oldestSystem").and_then(|at| self.oldest_systems(&at)),
            runners: fields.take("runners").and_then(|at| self.runners(&at)),
            layout: fields.take("layout").and_then(|at| self.layout(&at)),
            patch: fields.take("patch").and_then(|at| self.patch(&at)),
        };
        self.finish(&fields);
        layer
    }

    fn registries(&mut self, at: &ConfigCursor<'_>) -> Option<RegistriesLayer> {
        let mut fields = self.fields(at)?;
        let layer = RegistriesLayer {
            default: fields.take("default").and_then(|at| {
                self.remember(&at, "/registries/default");
                self.index_url(&at)
            }),
            additional: fields
                .take("additional")
                .and_then(|at| self.list(&at, "a list of index URLs", |reader, at| reader.additional_index(at))),
            allow_http: fields
                .take("allowHttp")
                .and_then(|at| self.list(&at, "a list of hosts", |reader, at| reader.host_name(at))),
            pinned: fields
                .take("pinned")
                .and_then(|at| self.by_name(&at, "/registries/pinned", |reader, at, _| reader.index_url(at))),
        };
        self.finish(&fields);
        Some(layer)
    }

    fn runners(&mut self, at: &ConfigCursor<'_>) -> Option<RunnersLayer> {
        let mut fields = self.fields(at)?;
        let mut of = |key: &'static str, reader: &mut Self| {
            let at = fields.take(key)?;
            reader.by_platform(&at, &format!("/runners/{key}"), |reader, at, _| reader.runner(at))
        };
        let layer =
            RunnersLayer { github: of("github", self), gitlab: of("gitlab", self), kubernetes: of("kubernetes", self) };
        self.finish(&fields);
        Some(layer)
    }

    fn runner(&mut self, at: &ConfigCursor<'_>) -> Option<String> {
        let text = self.string(at, "the name of a runner, a string,")?.trim();
        if text.is_empty() || text.chars().any(char::is_control) {
            self.fault(at, FindingCode::Value, "a runner has a name".to_owned(), None);
            return None;
        }
        Some(text.to_owned())
    }

    fn additional_index(&mut self, at: &ConfigCursor<'_>) -> Option<IndexUrl> {
        let url = self.index_url(at)?;
        self.remember_item(at, "/registries/additional", &url.0);
        Some(url)
    }

    fn host_name(&mut self, at: &ConfigCursor<'_>) -> Option<HostName> {
        let text = self.string(at, "the name of a host, a string,")?.trim().to_ascii_lowercase();
        if Url::parse(&format!("http://{text}/")).is_ok_and(|url| url.host_str() == Some(&text) && url.port().is_none())
        {
            return Some(HostName(text));
        }
        let hint = "write the host alone, without scheme, port or path";
        self.fault(at, FindingCode::Value, format!("{} is not a host", shown(&text)), Some(hint.into()));
        None
    }

    fn index_url(&mut self, at: &ConfigCursor<'_>) -> Option<IndexUrl> {
        let text = self.string(at, "the URL of an index, a string,")?.trim();
        match check_url(text, "an index") {
            Ok(()) => Some(IndexUrl(text.to_owned())),
            Err(complaint) => {
                self.complaint(at, FindingCode::Value, complaint);
                None
            }
        }
    }

    fn packages(&mut self, at: &ConfigCursor<'_>) -> Option<PackagesLayer> {
        let mut fields = self.fields(at)?;
        let layer = PackagesLayer {
            dependencies: fields.take("dependencies").and_then(|at| {
                self.remember(&at, "/packages/dependencies");
                self.requirements(&at, "/packages/dependencies")
            }),
            inherit_dependencies: fields.take("inheritDependencies").and_then(|at| self.flag(&at)),
            overrides: fields
                .take("overrides")
                .and_then(|at| self.by_name(&at, "/packages/overrides", |reader, at, _| reader.override_value(at))),
            skip: fields.take("skip").and_then(|at| self.reasons(&at, "/packages/skip")),
            force_source: fields.take("forceSource").and_then(|at| self.reasons(&at, "/packages/forceSource")),
            copy_files: fields.take("copyFiles").and_then(|at| self.copy_files(&at, "/packages/copyFiles")),
            platform_specific: fields.take("platformSpecific").and_then(|at| {
                self.by_platform(&at, "/packages/platformSpecific", |reader, at, pointer| {
                    reader.platform_packages(at, pointer)
                })
            }),
            no_deps: fields.take("noDeps").and_then(|at| self.names(&at, "/packages/noDeps")),
            build_wheel: fields.take("buildWheel").and_then(|at| {
                self.by_name(&at, "/packages/buildWheel", |reader, at, pointer| {
                    reader.by_platform(at, pointer, |reader, at, _| reader.build_wheel(at))
                })
            }),
            resolution: fields.take("resolution").and_then(|at| self.resolution(&at, "/packages/resolution")),
        };
        self.finish(&fields);
        Some(layer)
    }

    fn platform_packages(&mut self, at: &ConfigCursor<'_>, pointer: &str) -> Option<PlatformLayer> {
        let mut fields = self.fields(at)?;
        let layer = PlatformLayer {
            dependencies: fields
                .take("dependencies")
                .and_then(|at| self.requirements(&at, &format!("{pointer}/dependencies"))),
            copy_files: fields.take("copyFiles").and_then(|at| self.copy_files(&at, &format!("{pointer}/copyFiles"))),
            resolution: fields.take("resolution").and_then(|at| self.resolution(&at, &format!("{pointer}/resolution"))),
        };
        self.finish(&fields);
        Some(layer)
    }

    fn requirements(&mut self, at: &ConfigCursor<'_>, pointer: &str) -> Option<Vec<RequirementText>> {
        let expected = "a list of requirements";
        self.list(at, expected, |reader, at| {
            let text = reader.string(at, "a requirement, a string,")?;
            // The public tools of this format do the same.
            if text.trim().is_empty() {
                return None;
            }
            let text = reader.requirement(at, text)?;
            reader.remember_item(at, pointer, &text);
            Some(RequirementText(text))
        })
    }

    /// Reads a requirement and returns its canonical text.
    fn requirement(&mut self, at: &ConfigCursor<'_>, text: &str) -> Option<String> {
        match requirement_text::parse(text, self.version) {
            Ok(parsed) => {
                for oddity in parsed.oddities {
                    self.warning(at, FindingCode::Requirement, oddity, None);
                }
                Some(parsed.requirement.text)
            }
            Err(complaint) => {
                self.complaint(at, FindingCode::Requirement, complaint);
                None
            }
        }
    }

    fn override_value(&mut self, at: &ConfigCursor<'_>) -> Option<String> {
        let text = self.string(at, "a version, a string,")?.trim();
        match requirement_text::parse_override(text) {
            Ok(_) => Some(text.to_owned()),
            Err(complaint) => {
                self.complaint(at, FindingCode::Override, complaint);
                None
            }
        }
    }

    fn reasons(&mut self, at: &ConfigCursor<'_>, pointer: &str) -> Option<ReasonsLayer> {
        self.by_name(at, pointer, |reader, at, pointer| {
            reader.by_platform(at, pointer, |reader, at, _| reader.reason(at))
        })
    }

    fn reason(&mut self, at: &ConfigCursor<'_>) -> Option<Reason> {
        let text = self.string(at, "a reason, a string,")?.trim();
        if text.is_empty() {
            let hint = "say why in a few words; they stand in the summary and in the manifest";
            self.fault(at, FindingCode::Value, "the reason is empty", Some(hint.into()));
            return None;
        }
        Some(Reason(text.to_owned()))
    }

    fn copy_files(&mut self, at: &ConfigCursor<'_>, pointer: &str) -> Option<Vec<CopyFileLayer>> {
        self.list(at, "a list of objects with `from` and `to`", |reader, at| {
            let copy = reader.copy_file(at)?;
            reader.remember_item(at, pointer, &copy_key(&copy.from, &copy.to));
            Some(copy)
        })
    }

    fn copy_file(&mut self, at: &ConfigCursor<'_>) -> Option<CopyFileLayer> {
        let mut fields = self.fields(at)?;
        let from = self.required(&mut fields, at, "from").and_then(|at| self.copy_source(&at));
        let to = self.required(&mut fields, at, "to").and_then(|at| self.copy_target(&at));
        let optional = fields.take("optional").and_then(|at| self.flag(&at)).unwrap_or(false);
        self.finish(&fields);
        Some(CopyFileLayer { from: from?, to: to?, optional })
    }

    fn copy_source(&mut self, at: &ConfigCursor<'_>) -> Option<String> {
        let text = self.string(at, "a path below the package folder, a string,")?;
        let hint = "it is relative to the package folder and stays inside it, written with `/`";
        match text.parse::<TreePath>() {
            Ok(path) if path.is_root() => {
                let text = format!("{} is the package folder itself", shown(text));
                self.fault(at, FindingCode::Value, text, Some("name a file or a folder in it".into()));
                None
            }
            Ok(path) => Some(path.to_string()),
            Err(error) => {
                self.fault(at, FindingCode::Value, format!("{}: {}", shown(text), error.reason), Some(hint.into()));
                None
            }
        }
    }

    fn copy_target(&mut self, at: &ConfigCursor<'_>) -> Option<String> {
        let text = self.string(at, "a path in the runtime, a string,")?;
        match text.parse::<CopyTarget>() {
            Ok(target) => Some(target.to_string()),
            Err(crate::CopyTargetError::Path { reason, .. }) => {
                let hint = "it is relative to the runtime's root and stays inside it, written with `/`";
                self.fault(at, FindingCode::Value, format!("{}: {reason}", shown(text)), Some(hint.into()));
                None
            }
            Err(error @ crate::CopyTargetError::Placeholder { .. }) => {
                self.fault(at, FindingCode::Value, error.to_string(), None);
                None
            }
        }
    }

    fn names(&mut self, at: &ConfigCursor<'_>, pointer: &str) -> Option<Vec<Name>> {
        self.list(at, "a list of distribution names", |reader, at| {
            let text = reader.string(at, "a distribution name, a string,")?.trim();
            if text.is_empty() {
                return None;
            }
            let Ok(name) = text.parse::<DistributionName>() else {
                let hint = "write the name alone, without extras, version or marker";
                let text = format!("{} is not a distribution name", shown(text));
                reader.fault(at, FindingCode::Value, text, Some(hint.into()));
                return None;
            };
            reader.remember_item(at, pointer, name.as_str());
            Some(Name(name.to_string()))
        })
    }

    fn build_wheel(&mut self, at: &ConfigCursor<'_>) -> Option<BuildWheelLayer> {
        let mut fields = self.fields(at)?;
        let reason = self.required(&mut fields, at, "reason").and_then(|at| self.reason(&at));
        let build_requires = fields.take("buildRequires").and_then(|at| {
            self.list(&at, "a list of requirements", |reader, at| {
                let text = reader.string(at, "a requirement, a string,")?;
                reader.requirement(at, text)
            })
        });
        let config_settings = fields
            .take("configSettings")
            .and_then(|at| self.list(&at, "a list of `KEY=VALUE` strings", |reader, at| reader.config_setting(at)));
        self.finish(&fields);
        Some(BuildWheelLayer {
            reason: reason?,
            build_requires: build_requires.unwrap_or_default(),
            config_settings: config_settings.unwrap_or_default(),
        })
    }

    fn config_setting(&mut self, at: &ConfigCursor<'_>) -> Option<String> {
        let text = self.string(at, "a `KEY=VALUE` string")?;
        if text.split_once('=').is_none_or(|(key, _)| key.trim().is_empty()) {
            let hint = "for example `--build-option=--static` or `cmake.define.ROOT={packageRoot}/root`";
            self.fault(at, FindingCode::Value, format!("{} is not `KEY=VALUE`", shown(text)), Some(hint.into()));
            return None;
        }
        Some(text.to_owned())
    }

    fn resolution(&mut self, at: &ConfigCursor<'_>, pointer: &str) -> Option<ResolutionLayer> {
        let mut fields = self.fields(at)?;
        let mut list = |reader: &mut Self, key: &'static str| {
            let at = fields.take(key)?;
            reader.names(&at, &format!("{pointer}/{key}"))
        };
        let allow_source_list = list(self, "allowSourceList");
        let force_no_binary_list = list(self, "forceNoBinaryList");
        let only_binary_list = list(self, "onlyBinaryList");
        let ship_source_list = list(self, "shipSourceList");
        let layer = ResolutionLayer {
            allow_source_all: fields.take("allowSourceAll").and_then(|at| self.flag(&at)),
            strict_missing: fields.take("strictMissing").and_then(|at| self.flag(&at)),
            allow_source_list,
            force_no_binary_list,
            only_binary_list,
            ship_source_list,
            scope: fields.take("scope").and_then(|at| {
                self.remember(&at, &format!("{pointer}/scope"));
                let index = self.word(&at, "a scope of resolutions", &["joint", "each"])?;
                Some([Scope::Joint, Scope::Each][index])
            }),
            dependants: fields.take("dependants").and_then(|at| {
                self.remember(&at, &format!("{pointer}/dependants"));
                let index = self.word(&at, "a rule for dependants", &["leave-out", "keep"])?;
                Some([Dependants::LeaveOut, Dependants::Keep][index])
            }),
        };
        self.finish(&fields);
        Some(layer)
    }

    fn build(&mut self, at: &ConfigCursor<'_>) -> Option<BuildLayer> {
        let mut fields = self.fields(at)?;
        let layer = BuildLayer {
            enable_logging: fields.take("enableLogging").and_then(|at| self.flag(&at)),
            parallel_downloads: fields.take("parallelDownloads").and_then(|at| self.flag(&at)),
            timeout: fields
                .take("timeout")
                .and_then(|at| self.number(&at, "a whole number of seconds, 0 for no limit,")),
            pass_environment: fields.take("passEnvironment").and_then(|at| {
                self.list(&at, "a list of variables' names", |reader, at| {
                    reader.string(at, "a variable's name, a string,").map(str::to_owned)
                })
            }),
        };
        self.finish(&fields);
        Some(layer)
    }

    /// The value of a key that must be present; its absence is reported at the object.
    pub(crate) fn required<'n>(
        &mut self,
        fields: &mut crate::reader::ObjectFields<'n>,
        at: &ConfigCursor<'n>,
        key: &'static str,
    ) -> Option<ConfigCursor<'n>> {
        let value = fields.take(key);
        if value.is_none() {
            self.fault(at, FindingCode::Value, format!("`{key}` is missing"), None);
        }
        value
    }
}

/// The text under which the place of a `copyFiles` entry is stored, and by which entries are compared.
pub(crate) fn copy_key(from: &str, to: &str) -> String {
    format!("{from}\n{to}")
}

/// `what` is named in the message.
pub(crate) fn check_url(text: &str, what: &str) -> Result<(), Complaint> {
    let refuse =
        |text: String| Err(Complaint { text, hint: Some("write `https://…`, `http://…` or `file:///…`".into()) });
    let refuse_with = |text: String, hint: &str| Err(Complaint { text, hint: Some(hint.into()) });
    match Url::parse(text) {
        Err(error) => refuse(format!("{} is not a valid URL of {what}: {error}", shown(text))),
        Ok(url) if !matches!(url.scheme(), "https" | "http" | "file") => {
            refuse(format!("{} has the scheme `{}`", shown(text), url.scheme()))
        }
        // The names of distributions are appended to it; and what stands there is often a token.
        Ok(url) if url.query().is_some() || url.fragment().is_some() => refuse_with(
            format!("the URL of `{}` has a `?` or `#`", url.host_str().unwrap_or_default()),
            "leave out what follows the path; credentials come from where uv has them",
        ),
        Ok(url) => refuse_password(&url),
    }
}
