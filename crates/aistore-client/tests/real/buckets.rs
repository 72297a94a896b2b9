use aistore_client::{
    ArchiveMember, ArchiveOptions, Bucket, CopyBucketOptions, CopyGroupOptions, CreateOptions, DestroyOptions,
    GetOptions, ListOptions, ObjectContent, ObjectGroup, ObjectName, Provider, PutOptions, RefusalKind, SummaryOptions,
    WaitOptions,
};
use serde_json::json;

use crate::scratch::{Scratch, client_of, fresh_name, shared};

const SOON: WaitOptions = WaitOptions { limit: std::time::Duration::from_secs(60) };

#[test]
fn ais_8_9_and_38_buckets_come_are_listed_and_go() {
    let Some(cluster) = shared() else { return };
    let client = client_of(cluster);
    let scratch = Scratch::new(&client);
    let again = scratch.bucket.create(&CreateOptions::default()).unwrap_err();
    assert!(again.is(RefusalKind::AlreadyExists), "{again}");
    scratch.bucket.create(&CreateOptions { exist_ok: true, ..CreateOptions::default() }).unwrap();
    for provider in [Some(Provider::Ais), None] {
        let buckets = client.list_buckets(provider, None).unwrap();
        assert!(buckets.contains(scratch.bucket.bucket()), "{provider:?}: {buckets:?}");
    }
    assert!(scratch.bucket.exists().unwrap());
    assert!(scratch.bucket.properties().unwrap().is_versioned());
    scratch.bucket.destroy(&DestroyOptions::default()).unwrap();
    assert!(!scratch.bucket.exists().unwrap());
    let gone = scratch.bucket.destroy(&DestroyOptions::default()).unwrap_err();
    assert!(gone.is(RefusalKind::BucketNotFound), "{gone}");
    scratch.bucket.destroy(&DestroyOptions { missing_ok: true }).unwrap();
}

#[test]
fn ais_a1_and_34_a_bucket_is_copied_and_renamed_and_never_over_another() {
    let Some(cluster) = shared() else { return };
    let client = client_of(cluster);
    let (first, second) = (Scratch::new(&client), Scratch::new(&client));
    first.bucket.object("dir/a").unwrap().put(ObjectContent::bytes("hello"), &PutOptions::default()).unwrap();
    let taken = first.bucket.rename(second.bucket.bucket()).unwrap_err();
    assert!(taken.is(RefusalKind::AlreadyExists), "{taken}");
    assert_eq!(taken.refusal().unwrap().status, 400);

    let options = CopyBucketOptions { prepend: "copy/".to_owned(), ..CopyBucketOptions::default() };
    first.bucket.copy(second.bucket.bucket(), &options).unwrap().wait(&SOON).unwrap();
    let copy = second.bucket.object("copy/dir/a").unwrap();
    assert_eq!(copy.get(&GetOptions::default()).unwrap().bytes().unwrap(), b"hello");

    let to = client.bucket(Bucket::new(&fresh_name()).unwrap());
    first.bucket.rename(to.bucket()).unwrap().wait(&SOON).unwrap();
    let moved = to.object("dir/a").unwrap();
    assert_eq!(moved.get(&GetOptions::default()).unwrap().bytes().unwrap(), b"hello");
    assert!(!first.bucket.exists().unwrap());
    to.destroy(&DestroyOptions::default()).unwrap();
}

#[test]
fn ais_21_a_listing_in_pages_is_in_order_and_without_duplicates() {
    let Some(cluster) = shared() else { return };
    let client = client_of(cluster);
    let scratch = Scratch::new(&client);
    let names: Vec<String> = (0..25).map(|number| format!("dir/{number:02}")).collect();
    for name in &names {
        scratch.bucket.object(name).unwrap().put(ObjectContent::bytes(name.clone()), &PutOptions::default()).unwrap();
    }
    for coding in [aistore_client::ListingCoding::MessagePack, aistore_client::ListingCoding::Json] {
        let properties = "name,size,checksum,version".to_owned();
        let options = ListOptions { page_size: 10, coding, properties, ..ListOptions::default() };
        let entries = scratch.bucket.list_all(&options).unwrap();
        assert_eq!(entries.iter().map(|entry| entry.name.clone()).collect::<Vec<_>>(), names);
        assert!(entries.iter().all(|entry| entry.size == 6 && entry.version == "1" && entry.checksum.len() == 16));
        let first = scratch.bucket.list_page(&options, None).unwrap();
        let second = scratch.bucket.list_page(&options, Some(&first)).unwrap();
        let third = scratch.bucket.list_page(&options, Some(&second)).unwrap();
        assert_eq!([&first, &second, &third].map(|page| page.entries.len()), [10, 10, 5]);
        assert!(third.token.is_empty());
    }
    let after = ListOptions { start_after: "dir/20".to_owned(), ..ListOptions::default() };
    assert_eq!(scratch.bucket.list_all(&after).unwrap().len(), 4);
    let summary = scratch.bucket.summary(&SummaryOptions::default()).unwrap();
    assert_eq!(summary.objects, 25, "{}", summary.raw);
}

#[test]
fn ais_a9_ten_thousand_entries_come_in_pages() {
    let Some(cluster) = shared() else { return };
    let client = client_of(cluster);
    let scratch = Scratch::new(&client);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let bucket = &scratch.bucket;
            scope.spawn(move || {
                for number in 0..1250 {
                    let object = bucket.object(&format!("{:05}", thread * 1250 + number)).unwrap();
                    object.put(ObjectContent::bytes("x"), &PutOptions::default()).unwrap();
                }
            });
        }
    });
    for page_size in [0, 3000] {
        let begun = std::time::Instant::now();
        let entries = scratch.bucket.list_all(&ListOptions { page_size, ..ListOptions::default() }).unwrap();
        eprintln!("10,000 entries, page size {page_size}: {:?}", begun.elapsed());
        assert_eq!(entries.len(), 10_000);
        assert!(entries.iter().enumerate().all(|(index, entry)| entry.name == format!("{index:05}")));
    }
    let page = scratch.bucket.list_page(&ListOptions { page_size: 3000, ..ListOptions::default() }, None).unwrap();
    assert_eq!((page.entries.len(), page.token.is_empty()), (3000, false));
}

#[test]
fn groups_are_copied_archived_and_deleted() {
    let Some(cluster) = shared() else { return };
    let client = client_of(cluster);
    let (scratch, to) = (Scratch::new(&client), Scratch::new(&client));
    for number in 0..4 {
        let object = scratch.bucket.object(&format!("p-{number}")).unwrap();
        object.put(ObjectContent::bytes(format!("part {number}")), &PutOptions::default()).unwrap();
    }
    let names = |numbers: &[u32]| {
        ObjectGroup::Names(numbers.iter().map(|number| ObjectName::new(&format!("p-{number}")).unwrap()).collect())
    };
    let template = ObjectGroup::Template("p-{0..3}".to_owned());
    for job in scratch.bucket.copy_group(&template, to.bucket.bucket(), &CopyGroupOptions::default()).unwrap() {
        job.wait_for_idle(&SOON).unwrap();
    }
    assert_eq!(to.bucket.list_all(&ListOptions::default()).unwrap().len(), 4);
    let archive = ObjectName::new("all.tar").unwrap();
    for job in scratch.bucket.archive_group(&names(&[0, 1]), &archive, &ArchiveOptions::default()).unwrap() {
        job.wait_for_idle(&SOON).unwrap();
    }
    let member = GetOptions { member: Some(ArchiveMember::Path("p-1".to_owned())), ..GetOptions::default() };
    let found = scratch.bucket.object("all.tar").unwrap().get(&member).unwrap();
    assert_eq!(found.bytes().unwrap(), b"part 1");
    for job in scratch.bucket.delete_group(&names(&[2, 3])).unwrap() {
        job.wait(&SOON).unwrap();
    }
    let left = scratch.bucket.list_all(&ListOptions::default()).unwrap();
    assert_eq!(left.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>(), ["all.tar", "p-0", "p-1"]);
}

#[test]
fn properties_are_set_and_reset() {
    let Some(cluster) = shared() else { return };
    let client = client_of(cluster);
    let options =
        CreateOptions { properties: Some(json!({ "checksum": { "type": "md5" } })), ..CreateOptions::default() };
    let scratch = Scratch::with(&client, &options);
    assert_eq!(scratch.bucket.properties().unwrap().checksum(), Some(aistore_client::ChecksumKind::Md5));
    scratch.bucket.set_properties(&json!({ "versioning": { "enabled": false } })).unwrap();
    assert!(!scratch.bucket.properties().unwrap().is_versioned());
    scratch.bucket.reset_properties().unwrap();
    assert!(scratch.bucket.properties().unwrap().is_versioned());
}

#[test]
fn ais_40_etl_is_not_in_this_server() {
    let Some(cluster) = shared() else { return };
    let client = client_of(cluster);
    let scratch = Scratch::new(&client);
    let map = client.cluster_map().unwrap();
    assert_eq!((map.proxies.len(), map.targets.len()), (1, 2));
    assert!(client.is_ready().unwrap());
    assert!(client.health().unwrap().cluster_uptime.is_some());
    let failure = client.list_etls().unwrap_err();
    assert!(failure.is(RefusalKind::EtlNotAvailable), "{failure}");
    drop(scratch);
}
