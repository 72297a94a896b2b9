//! The shelf as an index of its own: pages of distributions, each from one additional index.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use url::Url;
use vocab::DistributionName;

use crate::registries::IndexPage;

/// Pages by distribution, each with the place of its index.
#[derive(Clone, Debug, Default)]
pub struct Shelf {
    pages: BTreeMap<DistributionName, (usize, Arc<IndexPage>)>,
}

impl Shelf {
    /// Takes this distribution from the additional index at `place`.
    pub fn put(&mut self, name: DistributionName, place: usize, page: Arc<IndexPage>) {
        self.pages.insert(name, (place, page));
    }

    /// The place of the index that it is taken from, counted from 0; `None` for the default index.
    pub fn place_of(&self, name: &DistributionName) -> Option<usize> {
        self.pages.get(name).map(|(place, _)| *place)
    }

    /// Writes the shelf as an index in a folder. Gives its URL, if the shelf is not empty.
    pub fn write_to(&self, folder: &Path) -> io::Result<Option<String>> {
        for (name, (_, page)) in &self.pages {
            let folder = folder.join(name.as_str());
            fs::create_dir_all(&folder)?;
            fs::write(folder.join("index.html"), page.to_html())?;
        }
        let url = Url::from_directory_path(folder).map_err(|()| io::ErrorKind::InvalidInput)?;
        Ok((!self.pages.is_empty()).then(|| url.into()))
    }
}
