//! URLs that are requested over plain HTTP, so that anyone on the way can answer.

use url::{Host, Url};

/// The host of an `http:` URL. `None` for other schemes and for this machine itself.
pub fn unencrypted_host(place: &str) -> Option<String> {
    let url = Url::parse(place).ok().filter(|url| url.scheme() == "http")?;
    let is_this_machine = match url.host()? {
        Host::Domain(name) => name == "localhost" || name.ends_with(".localhost"),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    };
    (!is_this_machine).then(|| url.host_str().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_to_another_machine_is_recognised() {
        let cases = [
            ("http://host.example:8080/p", Some("host.example")),
            ("HTTP://user:password@10.0.0.1/p", Some("10.0.0.1")),
            ("https://host.example/p", None),
            ("http://localhost/p", None),
            ("http://127.0.0.9:80/p", None),
            ("http://[::1]/p", None),
            ("file:///p", None),
            ("published", None),
            ("C:\\published", None),
        ];
        for (place, host) in cases {
            assert_eq!(unencrypted_host(place).as_deref(), host, "for {place}");
        }
    }
}
