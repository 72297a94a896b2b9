//! `--remote-store`: from an address and the environment to a store.

use objects::{FolderPlace, Place, PlaceAddress, SignedBucket};
use objects_aistore::AistorePlace;
use vocab::{Environment, Fault};

use super::{RemoteSettings, RemoteStore};
use crate::download::Downloader;

/// `Ok(None)` for a bucket or a cluster with `folders_only`. Touches no network, and no disk but what the address and AIStore's variables
/// name: a profile, certificates.
pub fn open(
    settings: &RemoteSettings,
    environment: &Environment,
    downloader: &Downloader,
    folders_only: bool,
) -> Result<Option<RemoteStore>, Box<dyn Fault>> {
    let address = PlaceAddress::parse(&settings.address, settings.given)?;
    if folders_only && !matches!(address, PlaceAddress::Folder(_)) {
        return Ok(None);
    }
    Ok(Some(RemoteStore::new(place_at(&address, settings.given, environment, downloader)?, settings)))
}

/// The place itself, with the engines that builders have. `given` is the option or variable that holds the address.
pub fn place_at(
    address: &PlaceAddress,
    given: &'static str,
    environment: &Environment,
    downloader: &Downloader,
) -> Result<Box<dyn Place>, Box<dyn Fault>> {
    Ok(match address {
        PlaceAddress::Folder(folder) => Box::new(FolderPlace::new(folder.clone())),
        PlaceAddress::Bucket(address) => {
            let (client, first_pause) = (downloader.client().clone(), downloader.settings().first_pause);
            Box::new(SignedBucket::open(address, environment, client, first_pause)?)
        }
        PlaceAddress::Cluster(address) => {
            let variable = |name: &str| environment.text(name).map(str::to_owned);
            Box::new(AistorePlace::open(address, given, &variable)?)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_rule_s3_address_every_address_means_what_it_means_to_the_publisher() {
        let table = include_str!("../../../../fixtures/store-address/addresses.json");
        let rows: Vec<serde_json::Value> = serde_json::from_str(table).unwrap();
        for row in rows {
            let address = row["address"].as_str().unwrap();
            match (opened(address), row["error"].as_str()) {
                (Ok(()), None) => {}
                // No machine of a test has this profile; the address itself was understood.
                (Err(error), None) => assert!(error.to_string().starts_with("`profile="), "for {address:?}: {error}"),
                (Err(error), Some(reason)) => {
                    assert_eq!(error.to_string(), format!("--remote-store: {reason}"), "for {address:?}");
                }
                (Ok(()), Some(reason)) => panic!("for {address:?}: {reason} is expected"),
            }
        }
    }

    fn opened(address: &str) -> Result<(), Box<dyn Fault>> {
        let settings =
            RemoteSettings { address: address.to_owned(), given: "--remote-store", read_only: false, strict: false };
        open(&settings, &Environment::default(), &Downloader::default(), false).map(drop)
    }
}
