//! The frame of every page.

use maud::{DOCTYPE, Markup, html};

use super::SiteSettings;

/// What a page may load: its style sheet, its script and inline pictures; nothing from elsewhere, no inline scripts, no
/// forms. So nothing that a manifest says can become a script. `file:` is for pages opened from a folder, where some
/// browsers do not count the page's own folder as `'self'`.
const POLICY: &str = "default-src 'none'; script-src 'self' file:; style-src 'self' file:; img-src data:; \
                      base-uri 'none'; form-action 'none'";

/// `root` is the relative path from the page to the site's folder: `""` or `"../"`.
pub(super) fn page(title: &str, root: &str, settings: &SiteSettings, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                link rel="icon" href="data:,";
                link rel="stylesheet" href={ (root) "style.css" };
                script src={ (root) "script.js" } defer {}
            }
            body {
                a class="skip" href="#content" { "Skip to content" }
                header class="bar" {
                    a class="brand" href={ (root) "index.html" } {
                        (mark())
                        span { (settings.title) }
                    }
                    nav aria-label="Data" {
                        a href={ (root) "../catalogue.json" } { "catalogue.json" }
                        // uv's lists contain full URLs and are written only if these are known.
                        @if settings.base_url.is_some() {
                            a href={ (root) "../downloads.json" } { "downloads.json" }
                        }
                    }
                }
                main id="content" { (content) }
                footer {
                    p {
                        "Every artifact here is named by its SHA-256 and never changes. "
                        "This page is derived from " a href={ (root) "../catalogue.json" } { "catalogue.json" } "."
                    }
                }
            }
        }
    }
}

/// Three stacked parts, like an artifact.
fn mark() -> Markup {
    html! {
        svg class="mark" viewBox="0 0 24 24" width="24" height="24" aria-hidden="true" {
            rect x="2" y="3" width="20" height="5" rx="1.5" {}
            rect x="2" y="10" width="14" height="5" rx="1.5" {}
            rect x="2" y="17" width="17" height="5" rx="1.5" {}
        }
    }
}
