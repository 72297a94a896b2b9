//! Which extensions need which, in what order they are loaded, and which distribution each runs on in the end.

use std::collections::{BTreeMap, BTreeSet};

use crate::extension_error::{ExtensionError, ExtensionErrorKind};
use crate::extension_set::{ActiveExtension, ExtensionSet, version_of};
use crate::read_extension::{Extension, ExtensionWarning};
use crate::{DistributionId, EnvironmentId};

/// Moves extensions whose dependencies are not met to the unavailable ones, and orders the others.
pub(crate) fn settle_dependencies(set: &mut ExtensionSet, host_version: Option<&str>) {
    let not_allowed = |error: &ExtensionError| match &error.kind {
        ExtensionErrorKind::NotAllowed { namespace, .. } => Some(namespace.clone()),
        _ => None,
    };
    let mut refused: BTreeSet<String> = set.unavailable.iter().filter_map(not_allowed).collect();
    if let Some(found) = host_version {
        let wanted = |active: &ActiveExtension| active.extension.descriptor.extension.min_core_version.clone();
        let all = set.active.iter().filter_map(|(namespace, active)| Some((namespace.clone(), wanted(active)?)));
        for (namespace, wanted) in all.filter(|(_, wanted)| version_of(wanted) > version_of(found)).collect::<Vec<_>>()
        {
            refuse(set, &namespace, ExtensionErrorKind::HostVersion { wanted, found: found.to_owned() });
            refused.insert(namespace);
        }
    }
    for (namespace, chain) in cycles(set) {
        refuse(set, &namespace, ExtensionErrorKind::DependencyCycle { chain });
        refused.insert(namespace);
    }
    // Those that need what was refused are refused, too, until nothing changes.
    loop {
        let lacking = set.active.iter().find_map(|(namespace, active)| {
            let lack = needs(&active.extension).into_iter().find_map(|need| lack(set, &refused, &need))?;
            Some((namespace.clone(), lack))
        });
        let Some((namespace, kind)) = lacking else { break };
        refuse(set, &namespace, kind);
        refused.insert(namespace);
    }
    order(set);
}

/// A namespace that is needed, and from which version on.
struct Need {
    namespace: String,
    min_version: Option<String>,
}

/// Those that the descriptor lists, and the one whose distribution is used.
fn needs(extension: &Extension) -> Vec<Need> {
    let listed = extension.descriptor.extension.dependencies.iter();
    let mut needs: Vec<Need> =
        listed.map(|it| Need { namespace: it.name.clone(), min_version: it.min_version.clone() }).collect();
    if let EnvironmentId::Dependency(namespace) = &extension.environment
        && !needs.iter().any(|need| need.namespace == *namespace)
    {
        needs.push(Need { namespace: namespace.clone(), min_version: None });
    }
    needs
}

fn lack(set: &ExtensionSet, refused: &BTreeSet<String>, need: &Need) -> Option<ExtensionErrorKind> {
    let namespace = need.namespace.clone();
    let Some(found) = set.active.get(&namespace) else {
        let reason = if refused.contains(&namespace) { "is not available itself" } else { "is not installed" };
        return Some(ExtensionErrorKind::DependencyMissing { namespace, reason });
    };
    let (wanted, found) = (need.min_version.clone()?, found.extension.version().to_owned());
    (version_of(&found) < version_of(&wanted)).then_some(ExtensionErrorKind::DependencyVersion {
        namespace,
        wanted,
        found,
    })
}

fn refuse(set: &mut ExtensionSet, namespace: &str, kind: ExtensionErrorKind) {
    if let Some(active) = set.active.remove(namespace) {
        set.unavailable.push(ExtensionError { path: active.extension.path, kind });
    }
}

/// Extensions from which dependencies lead back to them, with the way.
fn cycles(set: &ExtensionSet) -> Vec<(String, Vec<String>)> {
    let edges: BTreeMap<&str, Vec<String>> = set
        .active
        .iter()
        .map(|(namespace, active)| {
            (&**namespace, needs(&active.extension).into_iter().map(|need| need.namespace).collect())
        })
        .collect();
    edges.keys().filter_map(|start| Some(((*start).to_owned(), way_back(&edges, start)?))).collect()
}

/// Breadth first, so that the shortest way is told.
fn way_back(edges: &BTreeMap<&str, Vec<String>>, start: &str) -> Option<Vec<String>> {
    let mut ways: Vec<Vec<String>> = vec![vec![start.to_owned()]];
    let mut seen = BTreeSet::new();
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            for next in way.last().and_then(|last| edges.get(&**last)).into_iter().flatten() {
                let mut way = way.clone();
                way.push(next.clone());
                if next == start {
                    return Some(way);
                }
                if seen.insert(next.clone()) {
                    longer.push(way);
                }
            }
        }
        ways = longer;
    }
    None
}

fn order(set: &mut ExtensionSet) {
    let mut left: BTreeSet<&String> = set.active.keys().collect();
    let mut ordered = Vec::new();
    while !left.is_empty() {
        // There is no cycle any more, so at least one waits for nothing.
        let waits = |namespace: &str| {
            let needs = set.active.get(namespace).map(|active| needs(&active.extension)).unwrap_or_default();
            needs.iter().any(|need| left.contains(&need.namespace))
        };
        let ready: Vec<&String> = left.iter().filter(|namespace| !waits(namespace)).copied().collect();
        if ready.is_empty() {
            break;
        }
        for namespace in ready {
            left.remove(namespace);
            ordered.push(namespace.clone());
        }
    }
    set.order = ordered;
}

/// A distribution and the extensions that run on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DistributionNeed {
    pub id: DistributionId,
    /// In the order in which they are loaded.
    pub namespaces: Vec<String>,
    /// The extension whose `env.yml` counts: the first by namespace that has one.
    pub env_yml: Option<String>,
    /// The namespaces whose `env.yml` says something else.
    pub conflicts: Vec<String>,
}

/// The chain of `dep::` from one extension to the id in the end: namespaces, then the id.
pub fn distribution_of(set: &ExtensionSet, namespace: &str) -> Option<(Vec<String>, DistributionId)> {
    let mut chain = Vec::new();
    let mut current = namespace;
    // Cycles are not active; the count is for what was taken out of a set by hand.
    while chain.len() <= set.active.len() {
        let active = set.active.get(current)?;
        chain.push(current.to_owned());
        match &active.extension.environment {
            EnvironmentId::Own(id) => return Some((chain, id.clone())),
            EnvironmentId::Dependency(next) => current = next,
        }
    }
    None
}

/// What the active extensions need, by id.
pub fn distribution_needs(set: &ExtensionSet) -> Vec<DistributionNeed> {
    let mut needs: BTreeMap<DistributionId, Vec<String>> = BTreeMap::new();
    for namespace in &set.order {
        if let Some((_, id)) = distribution_of(set, namespace) {
            needs.entry(id).or_default().push(namespace.clone());
        }
    }
    let need = |(id, namespaces): (DistributionId, Vec<String>)| {
        let mut sorted = namespaces.clone();
        sorted.sort();
        let digest = |namespace: &str| set.active.get(namespace).and_then(|active| active.extension.env_yml);
        let env_yml = sorted.iter().find(|namespace| digest(namespace).is_some()).cloned();
        let first = env_yml.as_deref().and_then(digest);
        let differs = |namespace: &String| digest(namespace).is_some_and(|it| Some(it) != first);
        let conflicts = sorted.into_iter().filter(differs).collect();
        DistributionNeed { id, namespaces, env_yml, conflicts }
    };
    needs.into_iter().map(need).collect()
}

/// With `strict`, extensions whose `env.yml` says something else than that of another one with the same id are not
/// available; else there is a warning for each.
pub fn settle_conflicts(set: &mut ExtensionSet, strict: bool) {
    for need in distribution_needs(set) {
        for namespace in need.conflicts {
            let Some(active) = set.active.get(&namespace) else { continue };
            let (other, path) = (need.env_yml.clone().unwrap_or_default(), active.extension.path.clone());
            if strict {
                refuse(set, &namespace, ExtensionErrorKind::Conflict { id: need.id.clone(), other });
                set.order.retain(|it| *it != namespace);
            } else {
                let text = format!("its env.yml differs from that of `{other}`, which counts for {}", need.id);
                set.warnings.push(ExtensionWarning { code: "W_ENV_CONFLICT", text, path });
            }
        }
    }
}
