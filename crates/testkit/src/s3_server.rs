//! A real S3 server on the loopback interface, which checks signatures. It ends with its value.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use hyper::service::{Service, service_fn};
use hyper::{Method, header};
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;

/// A server with the bucket [`Self::BUCKET`], stored in a temporary folder.
pub struct S3Server {
    address: SocketAddr,
    folder: tempfile::TempDir,
    /// Its tasks end when it is dropped.
    _runtime: tokio::runtime::Runtime,
}

impl S3Server {
    /// Name of the only bucket.
    pub const BUCKET: &'static str = "shared";
    /// Access key that requests have to be signed with.
    pub const KEY: &'static str = "AKIDEXAMPLE";
    /// Secret of [`Self::KEY`].
    pub const SECRET: &'static str = "wJalrXUtnFEMI-EXAMPLEKEY";

    /// Starts a server with one empty bucket.
    pub fn start() -> Self {
        Self::serve(true)
    }

    /// Starts a server that ignores `If-Match` and `If-None-Match`, as AIStore 1.5.0 does. It also ignores signatures,
    /// because they cover those headers.
    pub fn without_conditions() -> Self {
        Self::serve(false)
    }

    fn serve(with_conditions: bool) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(folder.path().join(Self::BUCKET)).expect("an empty folder");
        let mut builder = S3ServiceBuilder::new(FileSystem::new(folder.path()).expect("the folder is there"));
        if with_conditions {
            builder.set_auth(SimpleAuth::from_single(Self::KEY, Self::SECRET));
        }
        let service = builder.build();
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(2).enable_all().build().expect("threads can be started");
        let listener = runtime.block_on(tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
        let listener = listener.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        // The server looks whether an object is there and then writes it: only one at a time keeps a condition true. An
        // object's checksum lies in a file of its own: a reader of both must not see a write between them.
        let turns = Arc::new(tokio::sync::RwLock::new(()));
        runtime.spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (service, turns) = (service.clone(), Arc::clone(&turns));
                let writers_alone = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
                    if !with_conditions {
                        forget_conditions(&mut request);
                    }
                    let (service, turns) = (service.clone(), Arc::clone(&turns));
                    async move {
                        let is_part = request.uri().query().is_some_and(|query| query.contains("partNumber="));
                        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
                        // The service also has a method of this name, for its own bodies.
                        let answer = Service::call(&service, request);
                        if is_part || reads {
                            let _turn = turns.read().await;
                            answer.await
                        } else {
                            let _turn = turns.write().await;
                            answer.await
                        }
                    }
                });
                tokio::spawn(async move {
                    // A client may disconnect midway.
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(socket), writers_alone)
                        .await;
                });
            }
        });
        Self { address, folder, _runtime: runtime }
    }

    /// Address on 127.0.0.1.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `AWS_*` variables for a client of this server.
    pub fn variables(&self) -> [(&'static str, String); 4] {
        Self::variables_for(&format!("http://{}", self.address), Self::SECRET)
    }

    /// `AWS_*` variables for a client of `endpoint`, such as that of an [`S3Proxy`](crate::S3Proxy); a wrong `secret`
    /// gets 403.
    pub fn variables_for(endpoint: &str, secret: &str) -> [(&'static str, String); 4] {
        [
            ("AWS_ENDPOINT_URL", endpoint.to_owned()),
            ("AWS_REGION", "eu-north-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", Self::KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", secret.to_owned()),
        ]
    }

    /// The file with the object of this key.
    pub fn object(&self, key: &str) -> PathBuf {
        self.folder.path().join(Self::BUCKET).join(key)
    }
}

fn forget_conditions<B>(request: &mut hyper::Request<B>) {
    for name in [header::IF_MATCH, header::IF_NONE_MATCH, header::AUTHORIZATION] {
        request.headers_mut().remove(name);
    }
    let uri = request.uri();
    let query = uri.query().unwrap_or_default().split('&');
    let query: Vec<&str> = query.filter(|pair| !pair.is_empty() && !pair.starts_with("X-Amz-")).collect();
    let mark = if query.is_empty() { "" } else { "?" };
    let bare = format!("{}{mark}{}", uri.path(), query.join("&"));
    *request.uri_mut() = bare.parse().expect("parts of a URI are one");
}
