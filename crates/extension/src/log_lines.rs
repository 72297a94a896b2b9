//! The lines that the vendor's loader logs and its page shows. Their bytes are public; nothing here may change them.

use std::path::Path;

use crate::setting_sources::SettingOrigin;
use crate::settings::LoaderSettings;

/// Logged for each folder that is searched.
pub fn looking_for_extensions(folder: &Path) -> String {
    format!("INFO: Looking for Python extensions in {}", folder.display())
}

/// Logged when such a folder cannot be read.
pub const FAILED_TO_LOAD: &str = "Failed to load Python extensions";

/// What is logged of settings: only what was set, in this order.
pub fn lines_of_settings(settings: &LoaderSettings) -> Vec<String> {
    let mut lines = Vec::new();
    let was_set = |origin: SettingOrigin| origin != SettingOrigin::Default;
    if settings.disable_miniforge.value {
        lines.push("INFO: Disabled Python distribution Miniforge usage".to_owned());
    }
    if let Some(folder) = &settings.miniforge_dir.value {
        lines.push(format!("INFO: Set Miniforge directory to {}", folder.display()));
    }
    if settings.air_gapped.value {
        lines.push("INFO: Set Python distribution to air-gapped mode".to_owned());
    }
    if was_set(settings.resources.origin) {
        let folder = settings.resources.value.display();
        lines.push(format!("INFO: Set Python resource lookup directory to {folder}"));
    }
    if was_set(settings.distributions.origin) {
        let folder = settings.distributions.value.display();
        lines.push(format!("INFO: Set Python distribution lookup directory to {folder}"));
    }
    lines
}
