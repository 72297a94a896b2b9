//! Whether everything that an installed distribution requires is there. A rule that leaves a distribution out can
//! break another one, which is reported.

use std::collections::{BTreeMap, BTreeSet};

use config_merger::{MarkerAnswer, Requirement, RequirementSource};
use vocab::DistributionName;

use wheel::WheelTarget;

/// One installed distribution with the requirements of its metadata.
#[derive(Clone, Debug)]
pub struct InstalledMember<'a> {
    pub name: &'a DistributionName,
    pub version: &'a str,
    /// PEP 508 lines.
    pub requires: &'a [String],
}

/// A requirement that the prefix does not meet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnmetRequirement {
    pub parent: DistributionName,
    pub required: DistributionName,
    /// Without its marker.
    pub requirement: String,
    /// The version that is installed instead, if any.
    pub installed: Option<String>,
}

/// Sorted. Ignores requirements of extras, and lines that are not PEP 508, which old metadata has.
/// `exempt` are those whose requirements were left out on purpose, `told` those whose absence has been reported with a
/// reason: there, a marker that cannot be decided is not reported again.
pub fn unmet(
    members: &[InstalledMember<'_>],
    exempt: &BTreeSet<DistributionName>,
    target: &WheelTarget,
    told: &BTreeSet<DistributionName>,
) -> Vec<UnmetRequirement> {
    let installed: BTreeMap<&DistributionName, &str> = members.iter().map(|it| (it.name, it.version)).collect();
    let mut unmet = BTreeSet::new();
    for member in members.iter().filter(|member| !exempt.contains(member.name)) {
        for line in member.requires {
            let Some(requirement) = config_merger::requirement_of_metadata(line) else { continue };
            let version = installed.get(&requirement.name).copied();
            match requirement.applies(target.platform, target.python, target.system) {
                MarkerAnswer::No => continue,
                MarkerAnswer::Unknown if version.is_some() || told.contains(&requirement.name) => continue,
                MarkerAnswer::Unknown | MarkerAnswer::Yes => {}
            }
            let met = version.is_some_and(|version| is_met(&requirement, version));
            if !met {
                unmet.insert(UnmetRequirement {
                    parent: member.name.clone(),
                    required: requirement.name,
                    requirement: line.split(';').next().unwrap_or(line).trim().to_owned(),
                    installed: version.map(str::to_owned),
                });
            }
        }
    }
    unmet.into_iter().collect()
}

fn is_met(requirement: &Requirement, version: &str) -> bool {
    let RequirementSource::Index { specifier } = &requirement.source else { return true };
    // An unreadable version is not for this check to judge.
    version.parse::<pep440_rs::Version>().map_or(true, |version| specifier.contains(&version))
}

#[cfg(test)]
mod tests {
    use vocab::PlatformKey;

    use super::*;

    #[test]
    fn a_parent_is_named_with_what_it_lacks() {
        let names: Vec<DistributionName> = ["polars-ds", "pandas", "numpy"].map(|name| name.parse().unwrap()).to_vec();
        let polars = ["polars>=1.4 ; python_version >= '3.9'".to_owned(), "graphviz ; extra == 'plot'".to_owned()];
        let pandas = [
            "numpy>=2.3".to_owned(),
            "colorama; sys_platform == 'win32'".to_owned(),
            "5.; python_version ~= '3.0'".to_owned(),
        ];
        let members = [
            InstalledMember { name: &names[0], version: "0.9.0", requires: &polars },
            InstalledMember { name: &names[1], version: "2.2.3", requires: &pandas },
            InstalledMember { name: &names[2], version: "2.2.6", requires: &[] },
        ];
        let (linux, windows) = (target(PlatformKey::LinuxX64), target(PlatformKey::WindowsX64));
        let found = unmet(&members, &BTreeSet::new(), &linux, &BTreeSet::new());
        let said: Vec<_> =
            found.iter().map(|it| format!("{} {} {:?}", it.parent, it.requirement, it.installed.as_deref())).collect();
        assert_eq!(said, ["pandas numpy>=2.3 Some(\"2.2.6\")", "polars-ds polars>=1.4 None"]);
        let exempt = BTreeSet::from([names[0].clone(), names[1].clone()]);
        assert_eq!(unmet(&members, &exempt, &linux, &BTreeSet::new()), []);
        assert_eq!(unmet(&members, &BTreeSet::new(), &windows, &BTreeSet::new()).len(), 3);
    }

    #[test]
    fn what_hangs_on_the_kernel_is_answered_from_the_oldest_system_or_told_once() {
        let name: DistributionName = "hkern".parse().unwrap();
        let requires = ["six; platform_release >= '17.0'".to_owned()];
        let members = [InstalledMember { name: &name, version: "1.0", requires: &requires }];
        let (none, six) = (BTreeSet::new(), BTreeSet::from(["six".parse().unwrap()]));
        for (platform, told, expected) in [
            (PlatformKey::MacosxX64, &none, 1),
            (PlatformKey::MacosxX64, &six, 1),
            (PlatformKey::LinuxX64, &none, 1),
            (PlatformKey::LinuxX64, &six, 0),
        ] {
            assert_eq!(unmet(&members, &none, &target(platform), told).len(), expected, "for {platform} {told:?}");
        }
    }

    fn target(platform: PlatformKey) -> WheelTarget {
        WheelTarget::new(platform, "3.12.10".parse().unwrap())
    }
}
