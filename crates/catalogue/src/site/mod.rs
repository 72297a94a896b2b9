//! The static site: one page for all runtimes, one for each. Plain HTML, one style sheet, one small script, nothing
//! from elsewhere; readable without the script.

mod builds;
mod changes;
mod frame;
mod index_page;
mod install;
mod packages;
mod picture;
mod runtime_page;
mod treemap;
mod words;

use std::collections::BTreeMap;

use vocab::foreign_text::printable;

use crate::{ArtifactEntry, Catalogue, object_keys};

/// What the pages say about the destination they belong to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteSettings {
    /// Title of the whole site, shown as its heading.
    pub title: String,
    /// The URL of the destination's prefix, as readers reach it, for install commands. If it is unknown, the pages show
    /// a placeholder, which the script replaces where the pages are viewed.
    pub base_url: Option<String>,
}

impl Default for SiteSettings {
    fn default() -> Self {
        Self { title: "Python runtimes".to_owned(), base_url: None }
    }
}

/// Object key → content, all below `site/`. `entries` supplies what the rows of `catalogue` contain; a row without its
/// entry is shown without its packages.
pub fn site(catalogue: &Catalogue, entries: &[ArtifactEntry], settings: &SiteSettings) -> BTreeMap<String, Vec<u8>> {
    let runtimes = builds::runtimes(catalogue, entries);
    let mut files = BTreeMap::new();
    let mut put = |path: &str, content: Vec<u8>| files.insert(format!("{}{path}", object_keys::SITE), content);
    put("style.css", include_bytes!("style.css").to_vec());
    put("script.js", include_bytes!("script.js").to_vec());
    put("index.html", shown(index_page::page(&runtimes, catalogue, settings)));
    for runtime in &runtimes {
        let page = runtime_page::page(runtime, catalogue, settings);
        put(&format!("{}/index.html", runtime.version), shown(page));
    }
    files
}

/// Names and reasons come from manifests; maud escapes markup, this removes invisible characters.
fn shown(page: maud::Markup) -> Vec<u8> {
    printable(&page.into_string()).into_bytes()
}
