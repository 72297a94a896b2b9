use aistore_client::{
    Bucket, CopyBucketOptions, CopyOptions, CreateOptions, CustomMetadata, DestroyOptions, Error, EvictOptions,
    MetadataUpdate, Namespace, ObjectContent, ObjectGroup, ObjectName, Provider, PutOptions, RefusalKind,
};
use serde_json::json;
use web::Secret;

use crate::fake::{Ask as _, FakeAIStore, bucket, error, reply};

#[test]
fn ais_1_a_bucket_is_created() {
    let fake = FakeAIStore::always(reply(200, ""));
    let client = fake.client();
    bucket(&client).create(&CreateOptions::default()).unwrap();
    let request = fake.only();
    assert_eq!(request.line(), "POST /v1/buckets/b?provider=ais");
    assert_eq!(request.json(), json!({ "action": "create-bck", "name": "", "value": null }));
    assert_eq!(request.header("content-type"), "application/json");
    assert_eq!(request.header("authorization"), "");
}

#[test]
fn ais_2_the_token_goes_along() {
    let fake = FakeAIStore::always(reply(200, ""));
    let mut settings = fake.settings();
    settings.token = Some(Secret::new("T"));
    let client = aistore_client::Client::new(settings).unwrap();
    bucket(&client).create(&CreateOptions::default()).unwrap();
    assert_eq!(fake.only().header("authorization"), "Bearer T");
}

#[test]
fn ais_8_a_bucket_that_is_there_is_an_error_or_fine() {
    let fake = FakeAIStore::always(error(409, "ErrBucketAlreadyExists", "bucket \"ais://b\" already exists"));
    let client = fake.client();
    let failure = bucket(&client).create(&CreateOptions::default()).unwrap_err();
    assert!(failure.is(RefusalKind::AlreadyExists), "{failure}");
    bucket(&client).create(&CreateOptions { exist_ok: true, ..CreateOptions::default() }).unwrap();
}

#[test]
fn ais_9_a_bucket_that_is_missing_is_an_error_or_fine() {
    let fake = FakeAIStore::always(error(404, "ErrBckNotFound", "bucket \"ais://b\" does not exist"));
    let client = fake.client();
    let failure = bucket(&client).destroy(&DestroyOptions::default()).unwrap_err();
    assert!(failure.is(RefusalKind::BucketNotFound), "{failure}");
    bucket(&client).destroy(&DestroyOptions { missing_ok: true }).unwrap();
    assert_eq!(fake.log()[0].line(), "DELETE /v1/buckets/b?provider=ais");
    assert_eq!(fake.log()[0].json()["action"], "destroy-bck");
}

#[test]
fn ais_10_providers_are_asked_for_by_their_canonical_names() {
    let fake = FakeAIStore::always(reply(200, "").header("Ais-Bucket-Props", "{}"));
    let client = fake.client();
    for (short, name) in [("s3", "aws"), ("gs", "gcp"), ("az", "azure"), ("oc", "oci"), ("", "ais"), ("aws", "aws")] {
        let provider: Provider = short.parse().unwrap();
        client.bucket(Bucket::new("b").unwrap().of(provider)).properties().unwrap();
        assert_eq!(fake.log().last().unwrap().line(), format!("HEAD /v1/buckets/b?provider={name}"));
    }
}

#[test]
fn ais_13_and_15_names_and_namespaces_are_encoded() {
    let fake = FakeAIStore::always(reply(200, ""));
    let client = fake.client();
    let object = |name: &str| bucket(&client).object(name).unwrap();
    object("dir/o 1#é").delete().unwrap();
    assert_eq!(fake.log()[0].line(), "DELETE /v1/objects/b/dir/o%201%23%C3%A9?provider=ais");
    object("a?b%2Fc").delete().unwrap();
    assert_eq!(fake.log()[1].path, "/v1/objects/b/a%3Fb%252Fc");
    let within = Bucket::new("b").unwrap().within(Namespace::new("U1", "N1").unwrap());
    client.bucket(within.clone()).create(&CreateOptions::default()).unwrap();
    assert_eq!(fake.log()[2].query, "provider=ais&namespace=%40U1%23N1");
    assert_eq!((within.flat_name(), within.to_string()), ("ais/@U1#N1/b/".to_owned(), "ais://@U1#N1/b".to_owned()));
}

#[test]
fn ais_a1_renaming_to_a_bucket_that_is_there_says_so_whatever_the_status() {
    let fake = FakeAIStore::always(error(400, "ErrBucketAlreadyExists", "bucket \"ais://b2\" already exists"));
    let client = fake.client();
    let failure = bucket(&client).rename(&Bucket::new("b2").unwrap()).unwrap_err();
    assert!(failure.is(RefusalKind::AlreadyExists), "{failure}");
    assert_eq!(fake.only().line(), "POST /v1/buckets/b?provider=ais&bck_to=ais%2F%40%23%2Fb2%2F");
}

#[test]
fn copies_name_their_goal_and_their_job() {
    let fake = FakeAIStore::always(reply(200, "\"x1\"\n"));
    let client = fake.client();
    let options = CopyBucketOptions { prefix: "train/".to_owned(), ..CopyBucketOptions::default() };
    let job = bucket(&client).copy(&Bucket::new("dst").unwrap(), &options).unwrap();
    assert_eq!(job.id(), "x1");
    let request = fake.only();
    assert_eq!(request.line(), "POST /v1/buckets/b?provider=ais&bck_to=ais%2F%40%23%2Fdst%2F");
    assert_eq!((&request.json()["action"], &request.json()["value"]["prefix"]), (&json!("copy-bck"), &json!("train/")));
}

#[test]
fn an_own_bucket_is_not_evicted_and_a_remote_one_is() {
    let fake = FakeAIStore::always(reply(200, ""));
    let client = fake.client();
    let failure = bucket(&client).evict(&EvictOptions::default()).unwrap_err();
    assert!(matches!(failure, Error::Invalid { .. }), "{failure}");
    let remote = client.bucket(Bucket::new("b").unwrap().of(Provider::Aws));
    remote.evict(&EvictOptions { keep_properties: true }).unwrap();
    assert_eq!(fake.only().line(), "DELETE /v1/buckets/b?provider=aws&keep_bck_md=true");
}

#[test]
fn groups_are_names_or_a_template() {
    let fake = FakeAIStore::always(reply(200, "j1,j2"));
    let client = fake.client();
    let names = ObjectGroup::Names(vec![ObjectName::new("a").unwrap(), ObjectName::new("b").unwrap()]);
    let jobs = bucket(&client).delete_group(&names).unwrap();
    assert_eq!(jobs.iter().map(aistore_client::JobHandle::id).collect::<Vec<_>>(), ["j1", "j2"]);
    bucket(&client).prefetch_group(&ObjectGroup::Template("p-{0..3}".to_owned())).unwrap();
    let log = fake.log();
    assert_eq!(log[0].method, "DELETE");
    assert_eq!(log[0].json()["value"], json!({ "objnames": ["a", "b"] }));
    assert_eq!((log[1].method.as_str(), &log[1].json()["action"]), ("POST", &json!("prefetch-listrange")));
    assert_eq!(log[1].json()["value"], json!({ "template": "p-{0..3}" }));
}

#[test]
fn custom_metadata_is_sent_as_headers_and_as_a_patch() {
    let fake = FakeAIStore::always(reply(200, ""));
    let client = fake.client();
    let object = bucket(&client).object("a").unwrap();
    let custom = CustomMetadata::from([("k".to_owned(), "v".to_owned()), ("k2".to_owned(), "v 2".to_owned())]);
    let options = PutOptions { custom: custom.clone(), ..PutOptions::default() };
    object.put(ObjectContent::bytes("x"), &options).unwrap();
    object.set_custom(&custom, MetadataUpdate::Replace).unwrap();
    let log = fake.log();
    assert_eq!(log[0].header("ais-custom-md"), "k=v, k2=v 2");
    assert_eq!(log[1].line(), "PATCH /v1/objects/b/a?provider=ais&set-new-custom=true");
    assert_eq!(log[1].json()["value"], json!({ "k": "v", "k2": "v 2" }));
    let wrong = CustomMetadata::from([("k".to_owned(), "a, b".to_owned())]);
    assert!(matches!(object.set_custom(&wrong, MetadataUpdate::Merge), Err(Error::Invalid { .. })));
    assert_eq!(fake.log().len(), 2);
}

#[test]
fn objects_are_not_copied_or_renamed_to_names_that_the_server_would_cut() {
    let fake = FakeAIStore::always(reply(200, ""));
    let client = fake.client();
    let object = bucket(&client).object("a").unwrap();
    for name in ["b#c", "b?c", "b%41"] {
        let copied = object.copy(&bucket(&client).object(name).unwrap(), &CopyOptions::default());
        assert!(matches!(copied, Err(Error::Invalid { .. })), "{name}");
        assert!(matches!(object.rename(&ObjectName::new(name).unwrap()), Err(Error::Invalid { .. })), "{name}");
    }
    object.copy(&bucket(&client).object("b é").unwrap(), &CopyOptions::default()).unwrap();
    assert!(fake.only().query.contains("object_to=ais%2F%40%23%2Fb%2Fb%20%C3%A9"));
}
