//! The keys of `pipeline_options` whose types are known.

/// What a key holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OptionType {
    Text,
    Whole,
    Flag,
    /// A list of texts; one text stands for a list of one.
    Texts,
    /// One of these, or null where the last is empty.
    OneOf(&'static [&'static str]),
}

/// Klio's own keys and Beam's that decide what is staged.
const OPTIONS: [(&str, OptionType); 34] = [
    ("runner", OptionType::Text),
    ("streaming", OptionType::Flag),
    ("experiments", OptionType::Texts),
    ("setup_file", OptionType::Text),
    ("requirements_file", OptionType::Text),
    ("sdk_location", OptionType::Text),
    ("worker_harness_container_image", OptionType::Text),
    ("sdk_container_image", OptionType::Text),
    ("project", OptionType::Text),
    ("staging_location", OptionType::Text),
    ("temp_location", OptionType::Text),
    ("region", OptionType::Text),
    ("update", OptionType::Flag),
    ("num_workers", OptionType::Whole),
    ("max_num_workers", OptionType::Whole),
    ("disk_size_gb", OptionType::Whole),
    ("worker_machine_type", OptionType::Text),
    ("worker_disk_type", OptionType::Text),
    ("autoscaling_algorithm", OptionType::OneOf(&["THROUGHPUT_BASED", "NONE"])),
    ("flexrs_goal", OptionType::OneOf(&["COST_OPTIMIZED", "SPEED_OPTIMIZED"])),
    ("labels", OptionType::Texts),
    ("label", OptionType::Text),
    ("subnetwork", OptionType::Text),
    ("service_account_email", OptionType::Text),
    ("no_auth", OptionType::Flag),
    ("template_location", OptionType::Text),
    ("enable_streaming_engine", OptionType::Flag),
    ("min_cpu_platform", OptionType::Text),
    ("extra_packages", OptionType::Texts),
    ("extra_package", OptionType::Texts),
    ("files_to_stage", OptionType::Texts),
    ("requirements_cache", OptionType::Text),
    ("save_main_session", OptionType::Flag),
    ("prebuild_sdk_container_engine", OptionType::Text),
];

/// `None` for keys that go to Beam as they are.
pub(crate) fn option_type(name: &str) -> Option<OptionType> {
    OPTIONS.iter().find(|(known, _)| *known == name).map(|(_, it)| *it)
}

/// What a message calls it.
pub(crate) fn named(option: OptionType) -> String {
    match option {
        OptionType::Text => "text".to_owned(),
        OptionType::Whole => "a whole number".to_owned(),
        OptionType::Flag => "a boolean".to_owned(),
        OptionType::Texts => "a list of texts".to_owned(),
        OptionType::OneOf(words) => format!("one of {}", words.join(", ")),
    }
}
