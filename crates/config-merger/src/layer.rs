//! One configuration file as it is written: every key optional, `null` accepted wherever a value is.
//!
//! The JSON Schemas are generated from these types, so their comments are the descriptions that editors show. A layer
//! from `reader.rs` is normalised: names by PEP 503, requirements in canonical text, the short forms written out.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use vocab::PlatformKey;

use crate::{BaseSource, Dependants, Layout, Scope, TextPlace};

/// `null` is the same as absent.
pub(crate) type LayerField<T> = Option<T>;

/// The reasons of a rule; `null` removes what the shared file says.
pub(crate) type ReasonsLayer = ByName<Option<ByPlatform<Option<Reason>>>>;

#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Layer {
    /// For editors; it has no effect here.
    #[serde(rename = "$schema", skip_serializing)]
    #[expect(dead_code, reason = "it stands here for the JSON Schema")]
    pub schema: Option<String>,
    /// Package indexes besides the default one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registries: LayerField<RegistriesLayer>,
    /// What is installed, and by which rules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packages: LayerField<PackagesLayer>,
    /// How the build is run; it does not change the runtime.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build: LayerField<BuildLayer>,
    /// Where the base interpreter comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub python: LayerField<PythonLayer>,
    /// The oldest system that the runtime must run on: the glibc version on Linux, the macOS version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_system: LayerField<ByPlatform<Option<SystemVersionText>>>,
    /// On which machines the jobs of a CI system run; it does not change the runtime.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runners: LayerField<RunnersLayer>,
    /// What the finished folder contains.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layout: LayerField<Layout>,
    /// Operations (RFC 6902) on the merged configuration, applied before the overrides.
    #[serde(skip_serializing)]
    pub patch: LayerField<Vec<PatchOperationText>>,
}

#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Runners")]
pub(crate) struct RunnersLayer {
    /// Labels of GitHub Actions runners, separated by commas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub github: LayerField<ByPlatform<Option<String>>>,
    /// Tags of GitLab runners, separated by commas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gitlab: LayerField<ByPlatform<Option<String>>>,
    /// Images that have `builder` on PATH and the repository as working folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kubernetes: LayerField<ByPlatform<Option<String>>>,
}

#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Registries")]
pub(crate) struct RegistriesLayer {
    /// URL of the default index, in place of the user's own, without credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: LayerField<IndexUrl>,
    /// Index URLs queried after the default one, in order. The version's follow the shared ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub additional: LayerField<Vec<IndexUrl>>,
    /// Hosts that may be queried over plain `http:`; this machine itself always may.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_http: LayerField<Vec<HostName>>,
    /// Distributions that are taken only from one of the additional indexes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pinned: LayerField<ByName<Option<IndexUrl>>>,
}

#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Packages")]
pub(crate) struct PackagesLayer {
    /// What is installed on every platform. In a version's file it replaces the shared list; absent or `null` keeps it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dependencies: LayerField<Vec<RequirementText>>,
    /// Add the version's list to the shared one; a distribution in both is taken from the version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inherit_dependencies: LayerField<bool>,
    /// Other versions for the named distributions: a version, or a specifier such as `>=2,<3`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overrides: LayerField<ByName<Option<String>>>,
    /// Distributions left out on these platforms, each with the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skip: LayerField<ReasonsLayer>,
    /// Distributions built from source on these platforms, each with the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub force_source: LayerField<ReasonsLayer>,
    /// Files copied into the runtime on every platform.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub copy_files: LayerField<Vec<CopyFileLayer>>,
    /// Additions for single platforms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform_specific: LayerField<ByPlatform<Option<PlatformLayer>>>,
    /// Distributions installed without their dependencies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_deps: LayerField<Vec<Name>>,
    /// Wheels that are compiled on the building machine and shipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build_wheel: LayerField<ByName<Option<ByPlatform<Option<BuildWheelLayer>>>>>,
    /// When a missing wheel may be built from source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution: LayerField<ResolutionLayer>,
}

#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "PlatformPackages")]
pub(crate) struct PlatformLayer {
    /// Added to the general list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dependencies: LayerField<Vec<RequirementText>>,
    /// Copied after the general ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub copy_files: LayerField<Vec<CopyFileLayer>>,
    /// Missing switches are those of the general `resolution`; the lists are added to its lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution: LayerField<ResolutionLayer>,
}

#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Resolution")]
pub(crate) struct ResolutionLayer {
    /// Any distribution without a compatible wheel may be built from source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_source_all: LayerField<bool>,
    /// `false` leaves out, with a warning, what cannot be found; otherwise that is an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strict_missing: LayerField<bool>,
    /// Distributions that may be built from source if no wheel is compatible.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_source_list: LayerField<Vec<Name>>,
    /// Distributions that are always built from source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub force_no_binary_list: LayerField<Vec<Name>>,
    /// Distributions that are never built from source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only_binary_list: LayerField<Vec<Name>>,
    /// For the layout `wheelhouse`: where no wheel of these fits, or a rule wants their source, the source archive itself
    /// is shipped and built where it is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ship_source_list: LayerField<Vec<Name>>,
    /// Whether all requirements are resolved together, or each alone, so that two of them may bring
    /// different versions of a distribution. `each` is only for the layout `wheelhouse`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: LayerField<Scope>,
    /// For the layout `wheelhouse`: whether a distribution that cannot be installed, because one that it requires is
    /// left out, is left out as well or kept with a warning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dependants: LayerField<Dependants>,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CopyFile")]
pub(crate) struct CopyFileLayer {
    /// A file or folder, relative to the package folder.
    #[schemars(length(min = 1))]
    pub from: String,
    /// Relative to the root of the runtime; `{site-packages}`, `{python}` and `{bin}` stand for the folders of the
    /// platform.
    pub to: String,
    /// If the source is missing, report a note instead of an error.
    #[serde(default)]
    pub optional: bool,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "BuildWheel")]
pub(crate) struct BuildWheelLayer {
    pub reason: Reason,
    /// Requirements of the build.
    #[serde(default)]
    pub build_requires: Vec<String>,
    /// `KEY=VALUE` for the build back end; `{packageRoot}` stands for the package folder.
    #[serde(default)]
    pub config_settings: Vec<String>,
}

#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "BuildSettings")]
pub(crate) struct BuildLayer {
    /// A detailed log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_logging: LayerField<bool>,
    /// More than one download at a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parallel_downloads: LayerField<bool>,
    /// Limit for each external step in seconds, 0 for none. Building from source may take longer unless this is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: LayerField<u64>,
    /// Names of environment variables that build back ends receive besides those for compilers, flags, proxies and
    /// certificates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pass_environment: LayerField<Vec<String>>,
}

#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PythonSettings")]
pub(crate) struct PythonLayer {
    /// Tried in this order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sources: LayerField<Vec<BaseSource>>,
    /// Short for a list of one source.
    #[serde(skip_serializing)]
    #[expect(dead_code, reason = "it stands here for the JSON Schema; the reader turns it into `sources`")]
    pub provider: LayerField<BaseSource>,
    /// A release of python-build-standalone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: LayerField<String>,
    /// A build flavour of python-build-standalone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flavor: LayerField<String>,
    /// What the source `archive` provides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archives: LayerField<ByPlatform<Option<ArchiveLayer>>>,
    /// Releases of python-build-standalone besides those that the builder knows, by Python version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub releases: LayerField<ByVersion<Option<ByPlatform<Option<ReleaseLayer>>>>>,
    /// A list of further releases, in the format of uv's `--python-downloads-json-url`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub downloads: LayerField<ArchiveLayer>,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PythonRelease")]
pub(crate) struct ReleaseLayer {
    /// The release, such as `20250529`.
    pub tag: String,
    /// The name of a file of the release.
    #[schemars(regex(pattern = r"\.tar\.(gz|zst)$"))]
    pub asset: String,
    #[schemars(regex(pattern = "^[0-9A-Fa-f]{64}$"))]
    pub sha256: String,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ArchiveSource")]
pub(crate) struct ArchiveLayer {
    /// An http, https or file URL, or a path that starts with `./` or `../`, relative to the package folder.
    pub url: String,
    #[schemars(regex(pattern = "^[0-9A-Fa-f]{64}$"))]
    pub sha256: String,
}

/// The name of a distribution; compared in lower case, with each run of `-`, `_` and `.` as one `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub(crate) struct Name(#[schemars(regex(pattern = "^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$"))] pub String);

/// The URL of a simple index (PEP 503, PEP 691).
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct IndexUrl(
    #[schemars(regex(pattern = "^(https?|file)://"))]
    pub String,
);

/// The name or address of a host, without a port.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct HostName(#[schemars(regex(pattern = r"^[^\s/@]+$"))] pub String);

/// Why a rule holds; shown in the summary and kept in the manifest.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Reason(#[schemars(regex(pattern = r"\S"))] pub String);

/// Two numbers, such as `2.28`.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct SystemVersionText(#[schemars(regex(pattern = r"^[0-9]+(\.[0-9]+)?$"))] pub String);

/// A requirement (PEP 508), a git URL (`git+https://…`), a URL of a wheel or source archive, or a path that starts
/// with `./` or `../`, relative to the package folder.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct RequirementText(pub String);

/// One operation of RFC 6902.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PatchOperation")]
pub(crate) struct PatchOperationText {
    pub op: PatchVerb,
    #[schemars(regex(pattern = "^(/.*)?$"))]
    pub path: String,
    /// For `move` and `copy`.
    pub from: Option<String>,
    /// For `add`, `replace` and `test`; there it may be `null`.
    pub value: Option<Value>,
    #[serde(skip)]
    pub place: TextPlace,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PatchVerb {
    Add,
    Remove,
    Replace,
    Move,
    Copy,
    Test,
}

/// A map by distribution.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct ByName<T>(pub BTreeMap<String, T>);

/// A map by platform key.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct ByPlatform<T>(pub BTreeMap<PlatformKey, T>);

/// A map by Python version.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct ByVersion<T>(pub BTreeMap<String, T>);

/// A map whose keys the schema describes, too.
macro_rules! map_schema {
    ($map:ident, |$generator:ident| $key:expr) => {
        impl<T: JsonSchema> JsonSchema for $map<T> {
            fn schema_name() -> Cow<'static, str> {
                format!("{}_{}", stringify!($map), T::schema_name()).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema($generator: &mut SchemaGenerator) -> Schema {
                let value = $generator.subschema_for::<T>();
                let key = $key;
                json_schema!({ "type": "object", "propertyNames": key, "additionalProperties": value })
            }
        }
    };
}

map_schema!(ByName, |generator| generator.subschema_for::<Name>());
map_schema!(ByPlatform, |generator| generator.subschema_for::<PlatformName>());
map_schema!(ByVersion, |generator| json_schema!({ "type": "string", "pattern": r"^[0-9]+\.[0-9]+\.[0-9]+$" }));

/// Represents [`PlatformKey`] in the schemas.
struct PlatformName;

impl JsonSchema for PlatformName {
    fn schema_name() -> Cow<'static, str> {
        "PlatformKey".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "enum": PlatformKey::ALL.map(PlatformKey::as_str) })
    }
}
