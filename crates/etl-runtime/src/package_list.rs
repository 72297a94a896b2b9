//! `PACKAGES`: requirements (PEP 508) between commas.
//!
//! pip's own lists have one requirement per line; here a comma may also stand inside an item, in its extras or
//! between its specifiers.

use config_merger::Requirement;
use vocab::Fault;

/// An item that names nothing an index could be asked for.
#[derive(Debug, thiserror::Error, Fault)]
#[fault("E_ETL_PACKAGES", Build)]
pub enum PackageError {
    #[error("PACKAGES: `{item}` is not a requirement")]
    #[fault(hint("write the name of a distribution with extras and versions, such as `pillow[xmp]>=9,<12`"))]
    NotARequirement { item: String },
    /// The address may hold a password.
    #[error("PACKAGES: `{name}` is asked for by an address, and only what an index has is installed")]
    #[fault(hint(
        "put its wheel into an index of yours, or into a folder that UV_FIND_LINKS names, and name its version"
    ))]
    Address { name: String },
}

/// The requirements in `text`, in their order.
pub fn parse(text: &str) -> Result<Vec<Requirement>, PackageError> {
    split(text).into_iter().map(read).collect()
}

fn read(item: String) -> Result<Requirement, PackageError> {
    if let Some(requirement) = config_merger::requirement_of_metadata(&item) {
        return Ok(requirement);
    }
    let name = item.split_once('@').map(|(name, _)| name.trim());
    let name = name.filter(|name| config_merger::requirement_of_metadata(name).is_some());
    Err(match name {
        Some(name) => PackageError::Address { name: name.to_owned() },
        None => PackageError::NotARequirement { item },
    })
}

/// The items, without the blanks around them; blank items are dropped.
pub fn split(text: &str) -> Vec<String> {
    let mut items: Vec<String> = Vec::new();
    let mut item = String::new();
    let (mut depth, mut quote) = (0_usize, None);
    for character in text.chars() {
        match character {
            ',' if depth == 0 && quote.is_none() => {
                add(&mut items, &item);
                item.clear();
                continue;
            }
            '\'' | '"' if quote.is_none() => quote = Some(character),
            _ if quote == Some(character) => quote = None,
            '[' | '(' if quote.is_none() => depth += 1,
            ']' | ')' if quote.is_none() => depth = depth.saturating_sub(1),
            _ => {}
        }
        item.push(character);
    }
    add(&mut items, &item);
    items
}

/// A text that begins with a comparison goes on with the specifiers of the item before it.
fn add(items: &mut Vec<String>, text: &str) {
    let text = text.trim();
    if text.is_empty() {
        return;
    }
    match items.last_mut() {
        Some(last) if text.starts_with(['<', '>', '=', '!', '~']) => {
            last.push(',');
            last.push_str(text);
        }
        _ => items.push(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // case 52
    #[test]
    fn commas_in_extras_and_specifiers_belong_to_the_item_and_blanks_are_dropped() {
        let cases: [(&str, &[&str]); 9] = [
            ("six,,six", &["six", "six"]),
            (" six ", &["six"]),
            (" , ", &[]),
            ("", &[]),
            ("pkg>=1,<2", &["pkg>=1,<2"]),
            ("pkg[a,b]>=1, <2 ,six", &["pkg[a,b]>=1,<2", "six"]),
            ("pkg (>=1,<2),six", &["pkg (>=1,<2)", "six"]),
            ("a!=1,~=1.2,==1.*,b", &["a!=1,~=1.2,==1.*", "b"]),
            ("a; sys_platform in 'linux,darwin',b", &["a; sys_platform in 'linux,darwin'", "b"]),
        ];
        for (text, items) in cases {
            assert_eq!(split(text), items, "for {text:?}");
        }
    }

    // case 53
    #[test]
    fn what_is_not_a_requirement_is_named() {
        for text in ["six,./missing", "six,-e x", "<2", "git+https://git.example.com/x", "a b"] {
            let error = parse(text).unwrap_err();
            let item = split(text).pop().unwrap();
            assert_eq!(error.to_string(), format!("PACKAGES: `{item}` is not a requirement"));
            assert_eq!(error.exit(), vocab::Exit::Build);
        }
        for text in ["demo @ https://me:secret@host.example/demo-1.0-py3-none-any.whl", "demo[x]@git+ssh://git@host/x"]
        {
            let error = parse(text).unwrap_err();
            assert!(error.to_string().contains("is asked for by an address"), "{error}");
            assert!(!error.to_string().contains("host"), "{error}");
        }
        assert_eq!(parse("six>=1,<2,Pillow[b,a]").unwrap().len(), 2);
    }
}
