//! The indexes that the command line names for a job.

/// Where distributions are looked up besides the index that uv is set up with. Addresses may hold credentials.
#[derive(Clone, Debug, Default)]
pub struct JobIndexes {
    pub default: Option<String>,
    pub additional: Vec<String>,
    /// Folders or pages of files.
    pub find_links: Vec<String>,
}

impl JobIndexes {
    /// As the resolver takes them: the address, and whether it is only a folder of files.
    pub fn additional(&self) -> Vec<(String, bool)> {
        let links = self.find_links.iter().map(|it| (it.clone(), true));
        self.additional.iter().map(|it| (it.clone(), false)).chain(links).collect()
    }
}
