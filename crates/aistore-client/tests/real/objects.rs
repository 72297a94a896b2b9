use std::io::Cursor;

use aistore_client::{
    ByteRange, Checksum, ChecksumKind, CopyOptions, CustomMetadata, GetOptions, HeadOptions, MetadataUpdate,
    ObjectContent, ObjectName, PromoteOptions, PutOptions, Reads, RefusalKind,
};

use crate::scratch::{Scratch, client_of, settings_of, shared};

fn put(content: &str) -> (ObjectContent, PutOptions) {
    (ObjectContent::bytes(content.to_owned()), PutOptions::default())
}

#[test]
fn ais_22_size_checksum_and_version() {
    let Some(cluster) = shared() else { return };
    let client = client_of(cluster);
    let scratch = Scratch::new(&client);
    let object = scratch.bucket.object("a").unwrap();
    let (content, options) = put("hello");
    let stored = object.put(content, &options).unwrap();
    let expected = Checksum { kind: ChecksumKind::Xxhash2, value: "26c7827d889f6da3".to_owned() };
    assert_eq!(
        (stored.checksum.as_ref(), stored.version.as_deref(), stored.is_verified),
        (Some(&expected), Some("1"), true)
    );
    for properties in ["", "name,size,version,checksum"] {
        let found = object.properties(&HeadOptions { properties: properties.to_owned() }).unwrap();
        assert_eq!((found.size, found.version.as_deref()), (Some(5), Some("1")), "{properties}");
        assert_eq!(found.checksum.as_ref(), Some(&expected));
    }
    let (content, options) = put("other");
    assert_eq!(object.put(content, &options).unwrap().version.as_deref(), Some("2"));
    let empty = scratch.bucket.object("empty").unwrap();
    let (content, options) = put("");
    assert!(empty.put(content, &options).unwrap().is_verified);
    assert_eq!(empty.get(&GetOptions::default()).unwrap().bytes().unwrap(), b"");
    let unknown = object.properties(&HeadOptions { properties: "cached".to_owned() }).unwrap_err();
    assert_eq!(unknown.refusal().unwrap().status, 400);
}

#[test]
fn ais_23_a_wrong_checksum_stores_nothing() {
    let Some(cluster) = shared() else { return };
    let client = client_of(cluster);
    let scratch = Scratch::new(&client);
    let object = scratch.bucket.object("a").unwrap();
    let checksum = Some(Checksum::of(b"other", ChecksumKind::Xxhash2));
    let failure = object.put(ObjectContent::bytes("hello"), &PutOptions { checksum, ..PutOptions::default() });
    let failure = failure.unwrap_err();
    assert!(failure.is(RefusalKind::ChecksumMismatch), "{failure}");
    assert!(!object.exists().unwrap());
}

#[test]
fn ais_24_and_25_ranges() {
    let Some(cluster) = shared() else { return };
    let client = client_of(cluster);
    let scratch = Scratch::new(&client);
    let object = scratch.bucket.object("a").unwrap();
    let (content, options) = put("hello");
    object.put(content, &options).unwrap();
    let get = |range| object.get(&GetOptions { range: Some(range), ..GetOptions::default() });
    for (range, expected) in [
        (ByteRange::Of { start: 1, length: 2 }, "el"),
        (ByteRange::Last(2), "lo"),
        (ByteRange::From(3), "lo"),
        (ByteRange::From(0), "hello"),
    ] {
        assert_eq!(get(range).unwrap().bytes().unwrap(), expected.as_bytes(), "{range}");
    }
    let outside = get(ByteRange::Of { start: 5, length: 5 }).unwrap_err();
    assert!(outside.is(RefusalKind::RangeNotSatisfiable), "{outside}");
}

#[test]
fn ais_26_a_missing_object_is_said_at_once() {
    let Some(cluster) = shared() else { return };
    let client = client_of(cluster);
    let scratch = Scratch::new(&client);
    let object = scratch.bucket.object("nope").unwrap();
    for failure in [
        object.get(&GetOptions::default()).map(drop),
        object.delete(),
        object.properties(&HeadOptions::default()).map(drop),
    ] {
        let failure = failure.unwrap_err();
        assert!(failure.is(RefusalKind::ObjectNotFound), "{failure}");
    }
    let nowhere = client.bucket(aistore_client::Bucket::new("no-such-bucket").unwrap());
    let failure = nowhere.object("a").unwrap().get(&GetOptions::default()).unwrap_err();
    assert!(failure.is(RefusalKind::BucketNotFound), "{failure}");
}

#[test]
fn content_of_any_length_arrives_from_memory_files_and_readers_and_comes_back() {
    let Some(cluster) = shared() else { return };
    let client = client_of(cluster);
    let scratch = Scratch::new(&client);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    for length in [0, 1, (256 << 10) - 1, 256 << 10, 5 << 20] {
        let bytes: Vec<u8> = (0..length).map(|index: u32| (index % 249) as u8).collect();
        std::fs::write(&file, &bytes).unwrap();
        let stream = ObjectContent::stream(Cursor::new(bytes.clone()), u64::from(length));
        for (index, content) in
            [ObjectContent::bytes(bytes.clone()), ObjectContent::file(&file), stream].into_iter().enumerate()
        {
            let object = scratch.bucket.object(&format!("{length}/{index}")).unwrap();
            assert!(object.put(content, &PutOptions::default()).unwrap().is_verified);
            let mut back = Vec::new();
            assert_eq!(object.get(&GetOptions::default()).unwrap().copy_to(&mut back).unwrap(), u64::from(length));
            assert!(back == bytes, "{length} {index}");
        }
    }
}

#[test]
fn ais_31_what_is_appended_is_visible_after_its_end() {
    let Some(cluster) = shared() else { return };
    let client = client_of(cluster);
    let scratch = Scratch::new(&client);
    let object = scratch.bucket.object("log").unwrap();
    let handle = object.append(ObjectContent::bytes("a"), None).unwrap();
    let handle = object.append(ObjectContent::bytes("b"), Some(&handle)).unwrap();
    assert!(!object.exists().unwrap());
    object.finish_append(&handle).unwrap();
    assert_eq!(object.get(&GetOptions::default()).unwrap().bytes().unwrap(), b"ab");
}

#[test]
fn ais_32_parts_in_any_order() {
    let Some(cluster) = shared() else { return };
    let client = client_of(cluster);
    let scratch = Scratch::new(&client);
    let object = scratch.bucket.object("dir/parts").unwrap();
    let upload = object.begin_multipart(&CustomMetadata::new()).unwrap();
    let long = "3".repeat(300 << 10);
    for (number, content) in [(3, long.as_str()), (1, "1"), (2, "22")] {
        upload.put_part(number, ObjectContent::bytes(content.to_owned())).unwrap();
    }
    assert!(!object.exists().unwrap());
    let some = upload.complete_with(&[1, 3]).unwrap_err();
    assert_eq!(some.refusal().unwrap().status, 400, "{some}");
    upload.complete(3).unwrap();
    assert_eq!(object.get(&GetOptions::default()).unwrap().bytes().unwrap(), format!("122{long}").as_bytes());
    let unknown = object.multipart("unknown").put_part(1, ObjectContent::bytes("x")).unwrap_err();
    assert!(unknown.is(RefusalKind::NotFound), "{unknown}");
    let other = scratch.bucket.object("aborted").unwrap();
    let upload = other.begin_multipart(&CustomMetadata::new()).unwrap();
    upload.put_part(1, ObjectContent::bytes("x")).unwrap();
    upload.abort().unwrap();
    assert!(!other.exists().unwrap());
}

#[test]
fn ais_33_custom_metadata_is_merged_or_replaced() {
    let Some(cluster) = shared() else { return };
    let client = client_of(cluster);
    let scratch = Scratch::new(&client);
    let object = scratch.bucket.object("a").unwrap();
    let of = |pairs: &[(&str, &str)]| -> CustomMetadata {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let custom = of(&[("k", "v = 1")]);
    object.put(ObjectContent::bytes("x"), &PutOptions { custom: custom.clone(), ..PutOptions::default() }).unwrap();
    let now = || object.properties(&HeadOptions::default()).unwrap().custom;
    assert_eq!(now(), custom);
    object.set_custom(&of(&[("k2", "v2")]), MetadataUpdate::Merge).unwrap();
    assert_eq!(now(), of(&[("k", "v = 1"), ("k2", "v2")]));
    object.set_custom(&of(&[("z", "1")]), MetadataUpdate::Replace).unwrap();
    assert_eq!(now(), of(&[("z", "1")]));
    assert_eq!(object.get(&GetOptions::default()).unwrap().properties().custom, of(&[("z", "1")]));
}

#[test]
fn ais_34_objects_are_copied_and_renamed() {
    let Some(cluster) = shared() else { return };
    let client = client_of(cluster);
    let (scratch, other) = (Scratch::new(&client), Scratch::new(&client));
    let object = scratch.bucket.object("a").unwrap();
    let (content, options) = put("hello");
    object.put(content, &options).unwrap();
    let copy = other.bucket.object("dir/b 1é").unwrap();
    object.copy(&copy, &CopyOptions::default()).unwrap();
    assert_eq!(copy.get(&GetOptions::default()).unwrap().bytes().unwrap(), b"hello");
    object.rename(&ObjectName::new("new/name").unwrap()).unwrap();
    assert!(!object.exists().unwrap());
    let renamed = scratch.bucket.object("new/name").unwrap();
    assert_eq!(renamed.get(&GetOptions::default()).unwrap().bytes().unwrap(), b"hello");
}

#[test]
fn names_that_need_encoding_are_stored_as_they_are() {
    let Some(cluster) = shared() else { return };
    let client = client_of(cluster);
    let scratch = Scratch::new(&client);
    let mut names =
        ["a#b", "a?b=c&d", "100%", "%41", "a b", "é/ü", "a+b", "a\\b", "~x", "it's", "[1]{2}", "a;b:c@d", "x\"<>`|^"];
    names.sort_unstable();
    for name in names {
        let (content, options) = put(name);
        let object = scratch.bucket.object(name).unwrap();
        object.put(content, &options).unwrap();
        assert_eq!(object.get(&GetOptions::default()).unwrap().bytes().unwrap(), name.as_bytes(), "{name}");
    }
    let listed = scratch.bucket.list_all(&aistore_client::ListOptions::default()).unwrap();
    let mut listed: Vec<_> = listed.into_iter().map(|entry| entry.name).collect();
    listed.sort_unstable();
    assert_eq!(listed, names);
    for name in names {
        scratch.bucket.object(name).unwrap().delete().unwrap();
    }
}

#[test]
fn ais_36_reads_find_the_target_that_the_server_would_name() {
    let Some(cluster) = shared() else { return };
    let mut settings = settings_of(cluster);
    settings.reads = Reads::Direct;
    let client = aistore_client::Client::new(settings).unwrap();
    let scratch = Scratch::new(&client);
    let map = client.cluster_map().unwrap();
    let mut used = std::collections::BTreeSet::new();
    for number in 0..20 {
        let object = scratch.bucket.object(&format!("o{number}")).unwrap();
        let (content, options) = put("hello");
        object.put(content, &options).unwrap();
        let found = object.properties(&HeadOptions { properties: "location".to_owned() }).unwrap();
        let target = map.target_of(object.bucket(), object.name()).unwrap();
        assert!(found.location.unwrap().starts_with(&format!("t[{}]", target.id)));
        assert_eq!(object.get(&GetOptions::default()).unwrap().bytes().unwrap(), b"hello");
        used.insert(target.id.clone());
    }
    assert_eq!(used.len(), 2, "both targets have some");
}

#[test]
fn ais_39_promoting_from_anywhere_is_refused() {
    let Some(cluster) = shared() else { return };
    let client = client_of(cluster);
    let scratch = Scratch::new(&client);
    let object = scratch.bucket.object("dst").unwrap();
    let failure = object.promote("/etc/hostname", &PromoteOptions::default()).unwrap_err();
    assert_eq!(failure.refusal().unwrap().status, 400, "{failure}");
}
