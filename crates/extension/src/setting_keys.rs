//! The keys of settings, and the variable of each.

/// One setting that people may make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SettingKey {
    /// In settings files, and as a system property.
    pub key: &'static str,
    /// The environment variable.
    pub variable: &'static str,
    /// Another spelling of the variable that is read with a warning.
    pub also: Option<&'static str>,
}

const fn plain(key: &'static str, variable: &'static str) -> SettingKey {
    SettingKey { key, variable, also: None }
}

pub const AIR_GAPPED: SettingKey = plain("pysdk.pel.airGapped", "PYSDK_PEL_AIR_GAPPED");
pub const MINIFORGE_DIR: SettingKey = plain("pysdk.pel.miniforgeDir", "PYSDK_PEL_MINIFORGE_DIR");
pub const DISABLE_MINIFORGE: SettingKey = plain("pysdk.pel.disableMiniforge", "PYSDK_PEL_DISABLE_MINIFORGE");
pub const DISABLE_ENV_VALIDATION: SettingKey =
    plain("pysdk.pel.miniforgeDisableEnvValidation", "PYSDK_PEL_MINIFORGE_DISABLE_ENV_VALIDATION");
/// The vendor's variable lacks a part of the key.
pub const SKIP_REGISTRATION: SettingKey = SettingKey {
    key: "pysdk.pel.skipPythonDistRegistration",
    variable: "PYSDK_PEL_SKIP_DIST_REGISTRATION",
    also: Some("PYSDK_PEL_SKIP_PYTHON_DIST_REGISTRATION"),
};
pub const SYNCHRONOUS: SettingKey = plain("pysdk.pel.forceSynchronousLoading", "PYSDK_PEL_FORCE_SYNCHRONOUS_LOADING");
pub const DIST_LOC: SettingKey = plain("pysdk.pel.distLoc", "PYSDK_PEL_DIST_LOC");
pub const RESOURCE_LOC: SettingKey = plain("pysdk.pel.resourceLoc", "PYSDK_PEL_RESOURCE_LOC");
pub const EXT_LOC: SettingKey = plain("pysdk.pel.extLoc", "PYSDK_PEL_EXT_LOC");
pub const DEBUG_MODE: SettingKey = plain("pysdk.debugMode", "PYSDK_DEBUG_MODE");
pub const MIN_PORT: SettingKey = plain("pysdk.pel.server.minPort", "PYSDK_PEL_SERVER_MIN_PORT");
pub const MAX_PORT: SettingKey = plain("pysdk.pel.server.maxPort", "PYSDK_PEL_SERVER_MAX_PORT");
pub const IDLE_SHUTDOWN: SettingKey = plain("pysdk.pel.server.idleShutdown", "PYSDK_PEL_SERVER_IDLE_SHUTDOWN");

pub const ALLOW_LIST: SettingKey =
    plain("python_sdk.security.extensions.whitelist", "PYTHON_SDK_SECURITY_EXTENSIONS_WHITELIST");
pub const ENFORCE_SIGNING: SettingKey =
    plain("python_sdk.security.extensions.enforce_signing", "PYTHON_SDK_SECURITY_EXTENSIONS_ENFORCE_SIGNING");

pub const PROFILE: SettingKey = plain("loader.profile", "PYDIST_LOADER_PROFILE");
pub const VERIFY: SettingKey = plain("loader.verify", "PYDIST_LOADER_VERIFY");
pub const STRICT: SettingKey = plain("loader.strict", "PYDIST_LOADER_STRICT");
pub const LOCK_TIMEOUT: SettingKey = plain("loader.lockTimeout", "PYDIST_LOADER_LOCK_TIMEOUT");
pub const MAX_EXTRACT_BYTES: SettingKey = plain("loader.maxExtractBytes", "PYDIST_LOADER_MAX_EXTRACT_BYTES");
pub const HOST_VERSION: SettingKey = plain("loader.hostVersion", "PYDIST_LOADER_HOST_VERSION");
pub const TRUSTED_KEYS: SettingKey = plain("loader.trustedKeys", "PYDIST_LOADER_TRUSTED_KEYS");
pub const CACHE_DIR: SettingKey = plain("loader.cacheDir", "PYDIST_LOADER_CACHE_DIR");
pub const START_TIMEOUT: SettingKey = plain("loader.startTimeout", "PYDIST_LOADER_START_TIMEOUT");
pub const RUN_TIMEOUT: SettingKey = plain("loader.runTimeout", "PYDIST_LOADER_RUN_TIMEOUT");
pub const TABLE_CODEC: SettingKey = plain("loader.tableCodec", "PYDIST_LOADER_TABLE_CODEC");
pub const MAX_BODY: SettingKey = plain("loader.maxBody", "PYDIST_LOADER_MAX_BODY");
pub const PASS_ENV_VARS: SettingKey = plain("loader.passEnvVars", "PYDIST_LOADER_PASS_ENV_VARS");
pub const ALLOW_OUTSIDE_FILES: SettingKey = plain("loader.allowOutsideFiles", "PYDIST_LOADER_ALLOW_OUTSIDE_FILES");
pub const MAX_SERVERS: SettingKey = plain("loader.maxServers", "PYDIST_LOADER_MAX_SERVERS");
pub const HANDLE_TTL: SettingKey = plain("loader.handleTtl", "PYDIST_LOADER_HANDLE_TTL");

/// All of them: the vendor's, then ours.
pub const SETTING_KEYS: [SettingKey; 31] = [
    AIR_GAPPED,
    MINIFORGE_DIR,
    DISABLE_MINIFORGE,
    DISABLE_ENV_VALIDATION,
    SKIP_REGISTRATION,
    SYNCHRONOUS,
    DIST_LOC,
    RESOURCE_LOC,
    EXT_LOC,
    DEBUG_MODE,
    MIN_PORT,
    MAX_PORT,
    IDLE_SHUTDOWN,
    ALLOW_LIST,
    ENFORCE_SIGNING,
    PROFILE,
    VERIFY,
    STRICT,
    LOCK_TIMEOUT,
    MAX_EXTRACT_BYTES,
    HOST_VERSION,
    TRUSTED_KEYS,
    CACHE_DIR,
    START_TIMEOUT,
    RUN_TIMEOUT,
    TABLE_CODEC,
    MAX_BODY,
    PASS_ENV_VARS,
    ALLOW_OUTSIDE_FILES,
    MAX_SERVERS,
    HANDLE_TTL,
];

/// The variable that the rule gives a key: dots become `_`, and a capital begins a new word.
pub fn variable_of(key: &str) -> String {
    let mut variable = String::new();
    for character in key.strip_prefix("loader.").map_or(key.to_owned(), |ours| format!("pydist.loader.{ours}")).chars()
    {
        if character.is_ascii_uppercase() {
            variable.push('_');
        }
        variable.push(if character == '.' { '_' } else { character.to_ascii_uppercase() });
    }
    variable
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PEL 50
    #[test]
    fn pel_50_every_key_has_the_variable_of_the_rule_but_one() {
        for setting in SETTING_KEYS {
            let regular = variable_of(setting.key);
            match setting.also {
                None => assert_eq!(setting.variable, regular),
                Some(also) => assert_eq!((setting.key, also), (SKIP_REGISTRATION.key, &*regular)),
            }
        }
    }
}
