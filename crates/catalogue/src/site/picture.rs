//! Sizes within a runtime: a treemap in SVG. The table of packages has the same numbers.

use maud::{Markup, html};
use vocab::PartKind;

use super::treemap::{Rectangle, divide};
use super::words;
use crate::content::RuntimeContent;

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 380.0;
/// Whatever is smaller than this share of the whole is drawn as one piece.
const LEAST_SHARE: f64 = 0.006;

struct PicturePiece {
    name: String,
    size: u64,
    /// Its CSS class, which sets the colour.
    kind: &'static str,
}

/// Absent if the artifact's parts have no sizes.
pub(super) fn section(content: &RuntimeContent, platform: &str) -> Option<Markup> {
    let pieces = pieces(content);
    let total: u64 = pieces.iter().map(|piece| piece.size).sum();
    if total == 0 {
        return None;
    }
    let whole = Rectangle { x: 0.0, y: 0.0, width: WIDTH, height: HEIGHT };
    let weights: Vec<f64> = pieces.iter().map(|piece| piece.size as f64).collect();
    let largest: Vec<String> =
        pieces.iter().take(3).map(|piece| format!("{} {}", piece.name, words::bytes(piece.size))).collect();
    let label = format!("Unpacked size by package. The largest: {}.", largest.join(", "));
    Some(html! {
        section id="size" {
            h2 { "Size" }
            p { (words::bytes(content.installed_size)) " unpacked on " (platform) ", in " (content.files) " files." }
            div class="picture" tabindex="0" role="region" aria-label="Size by package" {
                svg class="treemap" viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label=(label) {
                    @for (piece, place) in pieces.iter().zip(divide(&weights, whole)) {
                        (tile(piece, place, total))
                    }
                }
            }
            ul class="legend" {
                li class="base" { "interpreter" }
                li class="requested" { "named in the configuration" }
                li class="required" { "required by others" }
                li class="other" { "small ones and other files" }
            }
        }
    })
}

/// Largest first; small ones are combined into one piece.
fn pieces(content: &RuntimeContent) -> Vec<PicturePiece> {
    let other = content.other_parts.iter().map(|(name, size)| match PartKind::of(name) {
        PartKind::Base => PicturePiece { name: "Python".to_owned(), size: size.unpacked, kind: "base" },
        PartKind::CopiedFiles => PicturePiece { name: "copied files".to_owned(), size: size.unpacked, kind: "other" },
        _ => PicturePiece { name: name.clone(), size: size.unpacked, kind: "other" },
    });
    let packages = content.packages.iter().filter_map(|package| {
        let kind = if package.requested { "requested" } else { "required" };
        Some(PicturePiece { name: package.name.to_string(), size: package.part?.unpacked, kind })
    });
    let mut pieces: Vec<PicturePiece> = other.chain(packages).filter(|piece| piece.size > 0).collect();
    pieces.sort_by(|a, b| (b.size, &a.name).cmp(&(a.size, &b.name)));
    let total: u64 = pieces.iter().map(|piece| piece.size).sum();
    let large = pieces.iter().take_while(|piece| piece.size as f64 >= LEAST_SHARE * total as f64).count();
    let small = pieces.split_off(large);
    if small.len() == 1 {
        pieces.extend(small);
    } else if !small.is_empty() {
        let size = small.iter().map(|piece| piece.size).sum();
        let place = pieces.partition_point(|piece| piece.size >= size);
        pieces.insert(place, PicturePiece { name: format!("{} more", small.len()), size, kind: "other" });
    }
    pieces
}

fn tile(piece: &PicturePiece, place: Rectangle, total: u64) -> Markup {
    let letters = piece.name.chars().count() as f64;
    // A letter is about 0.6 em wide.
    let fits_at = |font: &f64| letters * font * 0.6 + 18.0 <= place.width && font + 12.0 <= place.height;
    let sizes: &[f64] = if place.width > 170.0 && place.height > 90.0 { &[22.0, 15.0, 12.0] } else { &[15.0, 12.0] };
    let fitting = sizes.iter().copied().find(fits_at);
    let font = fitting.unwrap_or(0.0);
    let size = words::bytes(piece.size);
    let size_fits = fitting.is_some() && place.height >= font + 40.0 && size.len() as f64 * 8.5 + 20.0 <= place.width;
    let number = |number: f64| format!("{number:.1}");
    html! {
        g class={ "tile " (piece.kind) } {
            title { (piece.name) ": " (size) ", " (format!("{:.1} %", piece.size as f64 * 100.0 / total as f64)) }
            rect x=(number(place.x + 1.0)) y=(number(place.y + 1.0)) rx="4"
                width=(number((place.width - 2.0).max(0.5))) height=(number((place.height - 2.0).max(0.5))) {}
            @if fitting.is_some() {
                text x=(number(place.x + 11.0)) y=(number(place.y + font + 8.0)) font-size=(font) { (piece.name) }
            }
            @if size_fits {
                text class="amount" x=(number(place.x + 11.0)) y=(number(place.y + font + 28.0)) font-size="14" { (size) }
            }
        }
    }
}
