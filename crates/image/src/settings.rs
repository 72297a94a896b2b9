//! How a container of an image starts, over what its base says.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::error::ImageErrorKind;

/// The part of an image's configuration that is ours. Absent and empty values leave the base's as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageSettings {
    /// A name or number, with `:` and a group if wanted.
    pub user: Option<String>,
    /// If there is one, the base's command goes, too: it was meant for another program.
    pub entrypoint: Vec<String>,
    pub command: Vec<String>,
    pub environment: BTreeMap<String, String>,
    pub labels: BTreeMap<String, String>,
    pub working_dir: Option<String>,
    /// TCP.
    pub ports: BTreeSet<u16>,
    /// Folders that are first on `PATH`, before those of the base.
    pub path_first: Vec<String>,
}

/// What Docker gives a container whose image says nothing.
const USUAL_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl ImageSettings {
    pub(crate) fn check(&self) -> Result<(), ImageErrorKind> {
        let refuse = |what: String, reason| Err(ImageErrorKind::Setting { what, reason });
        for name in self.environment.keys() {
            if name.is_empty() || name.contains(['=', '\0']) {
                return refuse(format!("the variable `{name}`"), "its name is empty, or has a `=` in it");
            }
        }
        let values = self.environment.values().chain(&self.entrypoint).chain(&self.command);
        if values.chain(&self.user).chain(&self.working_dir).any(|value| value.contains('\0')) {
            return refuse("a value with a NUL character".to_owned(), "no program can be given one");
        }
        if self.working_dir.as_ref().is_some_and(|folder| !folder.starts_with('/')) {
            return refuse("the working directory".to_owned(), "it has to begin with `/`");
        }
        Ok(())
    }

    /// The `config` of an image whose base has `config`.
    pub(crate) fn over(&self, mut config: Map<String, Value>) -> Map<String, Value> {
        if let Some(user) = &self.user {
            config.insert("User".to_owned(), json!(user));
        }
        if !self.entrypoint.is_empty() {
            config.remove("Cmd");
            config.insert("Entrypoint".to_owned(), json!(self.entrypoint));
        }
        if !self.command.is_empty() {
            config.insert("Cmd".to_owned(), json!(self.command));
        }
        if let Some(folder) = &self.working_dir {
            config.insert("WorkingDir".to_owned(), json!(folder));
        }
        let ports = self.ports.iter().map(|port| (format!("{port}/tcp"), json!({})));
        add_all(&mut config, "ExposedPorts", ports);
        add_all(&mut config, "Labels", self.labels.iter().map(|(name, value)| (name.clone(), json!(value))));
        let environment = self.environment_over(config.get("Env"));
        if !environment.is_empty() {
            config.insert("Env".to_owned(), json!(environment));
        }
        config
    }

    /// In the base's order, then ours by name.
    fn environment_over(&self, base: Option<&Value>) -> Vec<String> {
        let base = base.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        let mut rows: Vec<(String, String)> = base
            .filter_map(|row| row.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let mut set = |name: &str, value: String| match rows.iter_mut().find(|(other, _)| other == name) {
            Some(row) => row.1 = value,
            None => rows.push((name.to_owned(), value)),
        };
        for (name, value) in &self.environment {
            set(name, value.clone());
        }
        if !self.path_first.is_empty() {
            let own = self.path_first.join(":");
            match rows.iter_mut().find(|(name, _)| name == "PATH") {
                Some(row) => row.1 = format!("{own}:{}", row.1),
                None => rows.push(("PATH".to_owned(), format!("{own}:{USUAL_PATH}"))),
            }
        }
        rows.into_iter().map(|(name, value)| format!("{name}={value}")).collect()
    }
}

fn add_all(config: &mut Map<String, Value>, key: &str, rows: impl Iterator<Item = (String, Value)>) {
    let mut all = config.get(key).and_then(Value::as_object).cloned().unwrap_or_default();
    all.extend(rows);
    if !all.is_empty() {
        config.insert(key.to_owned(), Value::Object(all));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        let Value::Object(members) = value else { panic!("{value} is not an object") };
        members
    }

    #[test]
    fn ours_stands_over_the_base_and_what_is_unknown_stays() {
        let base = object(json!({
            "User": "nobody", "Cmd": ["bash"], "Env": ["PATH=/bin", "LANG=C.UTF-8", "A=1"],
            "Labels": {"maintainer": "them"}, "Healthcheck": {"Test": ["NONE"]},
        }));
        let settings = ImageSettings {
            entrypoint: vec!["/opt/run".to_owned()],
            environment: [("A".to_owned(), "2".to_owned()), ("B".to_owned(), "x=y".to_owned())].into(),
            labels: [("ours".to_owned(), "yes".to_owned())].into(),
            ports: [8000].into(),
            path_first: vec!["/opt/bin".to_owned()],
            ..ImageSettings::default()
        };
        let expected = object(json!({
            "User": "nobody", "Env": ["PATH=/opt/bin:/bin", "LANG=C.UTF-8", "A=2", "B=x=y"],
            "Labels": {"maintainer": "them", "ours": "yes"}, "Healthcheck": {"Test": ["NONE"]},
            "Entrypoint": ["/opt/run"], "ExposedPorts": {"8000/tcp": {}},
        }));
        assert_eq!(settings.over(base), expected);
        let alone = settings.over(Map::new());
        assert_eq!(alone["Env"], json!(["A=2", "B=x=y", format!("PATH=/opt/bin:{USUAL_PATH}")]));
    }

    #[test]
    fn what_no_container_can_have_is_refused() {
        let bad = [
            ImageSettings { environment: [("A=B".to_owned(), String::new())].into(), ..ImageSettings::default() },
            ImageSettings { working_dir: Some("tmp".to_owned()), ..ImageSettings::default() },
            ImageSettings { user: Some("a\0".to_owned()), ..ImageSettings::default() },
        ];
        for settings in bad {
            assert!(matches!(settings.check(), Err(ImageErrorKind::Setting { .. })), "{settings:?}");
        }
        assert!(ImageSettings::default().check().is_ok());
    }
}
