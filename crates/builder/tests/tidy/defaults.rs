//! What documents say of an option's default is what its help says. That help says what the code does is tested beside
//! the arguments, where clap does not take the text from the value itself.

use super::documents::{PROGRAMS, documents, options_in, pages_of};

/// Sentences with an option and the word that speak of another default.
const OF_SOMETHING_ELSE: [&str; 1] =
    ["A matrix that builds other platforms on Linux (the default for what is made of wheels)"];

/// An option and what a program says of it.
struct Described {
    option: String,
    text: String,
}

fn described() -> Vec<Described> {
    let pages = PROGRAMS.map(pages_of);
    let blocks = pages.iter().flat_map(|page| page.split("\n.TP\n").skip(1));
    let described = blocks.filter_map(|block| {
        let (head, text) = block.split_once('\n')?;
        let option = options_in(head).into_iter().next()?;
        // A heading may follow the last of a section.
        Some(Described { option, text: text.split("\n.").next().unwrap_or_default().to_owned() })
    });
    described.collect()
}

/// Sentences and cells of tables, on one line each.
fn sentences(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for paragraph in text.split("\n\n").flat_map(|paragraph| paragraph.split("\n- ")).flat_map(|it| it.split("\n|")) {
        let line = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
        found.extend(line.split(". ").map(str::to_owned));
    }
    found
}

/// The clause that says what the default is: `(10 GB by default)`, `defaults to …`, `(default: …)`.
fn clause(sentence: &str) -> Option<&str> {
    if let Some((_, rest)) = sentence.split_once("defaults to ").or_else(|| sentence.split_once("default: ")) {
        return Some(rest.split([')', ';']).next().unwrap_or_default());
    }
    let (before, _) = sentence.split_once(" by default)")?;
    before.rsplit('(').next()
}

/// What of a clause can be compared: code, and quantities as options take them (`10 GB` is `10G`).
fn values(clause: &str) -> Vec<String> {
    let mut values: Vec<String> = clause.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    let words: Vec<&str> = clause.split(' ').collect();
    for pair in words.windows(2) {
        if let (Ok(number), Some(unit)) = (pair[0].parse::<u32>(), pair[1].chars().next()) {
            values.push(match unit {
                'k' | 'K' | 'M' | 'G' => format!("{number}{}", unit.to_ascii_uppercase()),
                _ => number.to_string(),
            });
        }
    }
    values
}

#[test]
fn a_default_that_a_document_names_is_the_one_in_the_help() {
    let described = described();
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for (name, text) in documents() {
        for sentence in sentences(&text) {
            let lower = sentence.to_lowercase();
            let speaks = ["by default", "defaults to", "default:", "the default"];
            let is_elsewhere = OF_SOMETHING_ELSE.iter().any(|start| sentence.contains(start));
            let options = options_in(&sentence);
            if is_elsewhere || options.is_empty() || !speaks.iter().any(|word| lower.contains(word)) {
                continue;
            }
            let values = clause(&sentence).map(values).unwrap_or_default();
            if values.is_empty() {
                wrong.push(format!("{name}: write `--x` (10 GB by default), or `--x` defaults to `y`: {sentence}"));
            }
            compared += values.len();
            let says = |value: &String| {
                let of = |it: &&Described| options.contains(&it.option) && it.text.to_lowercase().contains("default");
                described.iter().filter(of).any(|it| it.text.contains(value.as_str()))
            };
            let unsaid = values.iter().filter(|value| !says(value));
            wrong.extend(unsaid.map(|value| format!("{name}: the help says nothing of {value}: {sentence}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(compared >= 4, "{compared} defaults are too few: were they found at all?");
}

#[test]
fn quantities_in_documents_are_those_of_options() {
    let cases = [
        ("otherwise to `--max-download` (10 GB by default)", vec!["10G"]),
        ("less than `--min-rate` (1 kB/s by default) over a minute", vec!["1K"]),
        (
            "`--to` defaults to `PYDIST_PUBLISH_TO`, else to the folder `published`",
            vec!["PYDIST_PUBLISH_TO", "published"],
        ),
        ("`--keep-days` (default: 7 days) and more", vec!["7"]),
        ("`--to` says where", vec![]),
    ];
    for (sentence, expected) in cases {
        assert_eq!(clause(sentence).map(values).unwrap_or_default(), expected, "for {sentence}");
    }
}
