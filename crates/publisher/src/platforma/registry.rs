//! The registry that a package names: where its archives are put, and where readers get them from.

use objects::PlaceAddress;

use super::PlatformaError;

/// One of Platforma's binary registries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlatformaRegistry {
    pub name: String,
    pub upload: PlaceAddress,
    /// Told to readers. Absent when nobody said.
    pub download_url: Option<String>,
}

/// Registries whose public address everybody knows.
const WELL_KNOWN: [(&str, &str); 1] = [("platforma-open", "https://bin.pl-open.science/")];

impl PlatformaRegistry {
    /// `to` takes the place of the variable that says where archives are put.
    pub fn find(
        name: &str,
        to: Option<&str>,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, PlatformaError> {
        let upload_variable = variable_name(name, "UPLOAD_URL");
        let (given, text) = match to {
            Some(text) => ("--to".to_owned(), text.to_owned()),
            None => match variable(&upload_variable).filter(|text| !text.trim().is_empty()) {
                Some(text) => (upload_variable, text),
                None => {
                    return Err(PlatformaError::NoVariable { registry: name.to_owned(), variable: upload_variable });
                }
            },
        };
        let upload = PlaceAddress::parse(&text, &given)?;
        let known = || WELL_KNOWN.iter().find(|(known, _)| *known == name).map(|(_, url)| (*url).to_owned());
        let download_variable = variable_name(name, "DOWNLOAD_URL");
        let download_url = variable(&download_variable).filter(|url| !url.is_empty());
        // It goes into what npm publishes.
        if download_url.as_deref().is_some_and(|url| !is_for_readers(url)) {
            return Err(PlatformaError::DownloadUrl { variable: download_variable });
        }
        let download_url = download_url.or_else(known);
        Ok(Self { name: name.to_owned(), upload, download_url })
    }
}

fn is_for_readers(text: &str) -> bool {
    let is_plain = |url: url::Url| {
        matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none()
    };
    url::Url::parse(text).is_ok_and(is_plain)
}

/// `PL_REGISTRY_<NAME>_<what>`, the name in capitals, with `_` for all else but letters and digits.
fn variable_name(registry: &str, what: &str) -> String {
    let letter = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_uppercase() } else { '_' };
    format!("PL_REGISTRY_{}_{what}", registry.chars().map(letter).collect::<String>())
}

#[cfg(test)]
mod tests {
    use vocab::Fault as _;

    use super::*;

    fn told(name: &str, url: Option<&str>) -> String {
        let variable =
            |asked: &str| (asked == "PL_REGISTRY_PLATFORMA_OPEN_UPLOAD_URL").then(|| url.map(str::to_owned))?;
        match PlatformaRegistry::find(name, None, &variable) {
            Ok(registry) => registry.upload.to_string(),
            Err(error) => {
                assert_eq!(error.exit(), vocab::Exit::Usage, "for {url:?}");
                format!("{} {error}", error.code())
            }
        }
    }

    #[test]
    fn k4_the_variable_of_a_registry_says_where_its_archives_are_put_or_is_named_as_wrong() {
        let variable = "PL_REGISTRY_PLATFORMA_OPEN_UPLOAD_URL";
        let cases = [
            // (variable, where, or the fault)
            (Some("s3://bucket/a/prefix?region=eu-1"), "bucket bucket prefix=a/prefix region=eu-1".to_owned()),
            (
                Some("s3e://minio.example/bucket/pub?region=eu-1"),
                "bucket bucket prefix=pub endpoint=https://minio.example/ region=eu-1".to_owned(),
            ),
            (Some("s3e://127.0.0.1:9000/bucket"), "bucket bucket endpoint=http://127.0.0.1:9000/".to_owned()),
            (Some("/srv/registry"), "folder /srv/registry".to_owned()),
            (
                Some("ais://bucket/pub?endpoint=http://127.0.0.1:8080"),
                "cluster ais://bucket/pub endpoint=http://127.0.0.1:8080".to_owned(),
            ),
            (
                None,
                format!(
                    "E_PLATFORMA_REGISTRY cannot determine where the archives of the registry `platforma-open` go: {variable} is not set"
                ),
            ),
            (
                Some(" "),
                format!(
                    "E_PLATFORMA_REGISTRY cannot determine where the archives of the registry `platforma-open` go: {variable} is not set"
                ),
            ),
            // How addresses are written and named as wrong is `objects`' own; here is what stands before it.
            (Some("http://host/x"), format!("E_STORE_ADDRESS {variable}: unsupported scheme `http:`")),
        ];
        for (url, expected) in cases {
            assert_eq!(told("platforma-open", url), expected, "for {url:?}");
        }
    }

    #[test]
    fn a_registry_has_a_variable_of_its_own_and_an_address_for_readers() {
        assert_eq!(variable_name("my.reg-2", "UPLOAD_URL"), "PL_REGISTRY_MY_REG_2_UPLOAD_URL");
        let find = |name: &str, variables: &[(&str, &str)]| {
            let variable =
                |asked: &str| variables.iter().find(|(name, _)| *name == asked).map(|(_, value)| (*value).to_owned());
            PlatformaRegistry::find(name, Some("/srv"), &variable).unwrap().download_url
        };
        assert_eq!(find("platforma-open", &[]).as_deref(), Some("https://bin.pl-open.science/"));
        assert_eq!(find("mine", &[]), None);
        let own = [("PL_REGISTRY_MINE_DOWNLOAD_URL", "https://files.example/")];
        assert_eq!(find("mine", &own).as_deref(), Some("https://files.example/"));
        for wrong in ["https://user:secret@files.example/", "not a url", "file:///srv"] {
            let variable = |asked: &str| (asked == "PL_REGISTRY_MINE_DOWNLOAD_URL").then(|| wrong.to_owned());
            let error = PlatformaRegistry::find("mine", Some("/srv"), &variable).unwrap_err();
            assert_eq!((error.code(), error.to_string().contains("secret")), ("E_STORE_ADDRESS", false), "{wrong}");
        }
    }
}
