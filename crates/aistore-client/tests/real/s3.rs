//! What another client sees through S3, and what the native API sees of that.

use aistore_client::{GetOptions, ObjectContent, PutOptions};
use aws_sdk_s3::Client as S3;
use aws_sdk_s3::config::{
    BehaviorVersion, Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation,
};
use aws_sdk_s3::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_s3::primitives::ByteStream;

use testkit::aistore::Cluster;

use crate::scratch::{Scratch, changeable, client_of, shared};

fn s3(cluster: &Cluster, checksums: RequestChecksumCalculation) -> S3 {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("any", "any", None, None, "test"))
        .endpoint_url(cluster.endpoint())
        .force_path_style(true)
        .request_checksum_calculation(checksums)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    S3::from_conf(config)
}

fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

const PLAIN: RequestChecksumCalculation = RequestChecksumCalculation::WhenRequired;

#[test]
fn ais_41_and_43_s3_and_the_native_api_see_the_same_objects() {
    let Some(cluster) = shared() else { return };
    let client = client_of(cluster);
    let scratch = Scratch::new(&client);
    let name = scratch.bucket.bucket().name();
    let s3 = s3(cluster, PLAIN);
    let bytes: Vec<u8> = (0..400_000_u32).map(|index| (index % 241) as u8).collect();
    wait(async {
        s3.put_object().bucket(name).key("dir/a b").body(ByteStream::from(bytes.clone())).send().await.unwrap();
        let got = s3.get_object().bucket(name).key("dir/a b").send().await.unwrap();
        assert!(got.body.collect().await.unwrap().to_vec() == bytes);
        let head = s3.head_object().bucket(name).key("dir/a b").send().await.unwrap();
        assert_eq!(head.content_length(), Some(400_000));
    });
    let object = scratch.bucket.object("dir/a b").unwrap();
    assert!(object.get(&GetOptions::default()).unwrap().bytes().unwrap() == bytes);
    wait(async {
        s3.delete_object().bucket(name).key("dir/a b").send().await.unwrap();
        let failure = s3.delete_object().bucket(name).key("dir/a b").send().await.unwrap_err();
        assert_eq!(failure.code(), Some("NoSuchKey"), "{failure:?}");
    });
    assert!(!object.exists().unwrap());
    for number in 0..1200 {
        let object = scratch.bucket.object(&format!("k{number:04}")).unwrap();
        object.put(ObjectContent::bytes("x"), &PutOptions::default()).unwrap();
    }
    let listed = wait(async { s3.list_objects_v2().bucket(name).max_keys(100).send().await.unwrap() });
    assert_eq!((listed.contents().len(), listed.is_truncated()), (1200, Some(false)));
}

#[test]
fn ais_44_content_in_chunks_is_stored_without_them() {
    let Some(cluster) = shared() else { return };
    let client = client_of(cluster);
    let scratch = Scratch::new(&client);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    let bytes: Vec<u8> = (0..200_000_u32).map(|index| (index % 239) as u8).collect();
    std::fs::write(&file, &bytes).unwrap();
    let s3 = s3(cluster, RequestChecksumCalculation::WhenSupported);
    wait(async {
        let body = ByteStream::from_path(&file).await.unwrap();
        s3.put_object().bucket(scratch.bucket.bucket().name()).key("a").body(body).send().await.unwrap();
    });
    let object = scratch.bucket.object("a").unwrap();
    assert!(object.get(&GetOptions::default()).unwrap().bytes().unwrap() == bytes);
}

#[test]
fn ais_42_without_the_feature_s3_is_redirected() {
    let Some((cluster, _turn)) = changeable() else { return };
    let client = client_of(cluster);
    let scratch = Scratch::new(&client);
    client.set_configuration(&[("features", Cluster::S3_AT_THE_ROOT)]).unwrap();
    let s3 = s3(cluster, PLAIN);
    let put =
        || s3.put_object().bucket(scratch.bucket.bucket().name()).key("a").body(ByteStream::from_static(b"x")).send();
    let failure = wait(put());
    client.set_configuration(&[("features", Cluster::S3_AT_THE_ROOT_RELAYED)]).unwrap();
    let Err(SdkError::ServiceError(failure)) = failure else { panic!("{failure:?}") };
    assert_eq!(failure.raw().status().as_u16(), 307);
    assert_eq!(failure.err().code(), Some("TemporaryRedirect"));
    wait(put()).unwrap();
}
