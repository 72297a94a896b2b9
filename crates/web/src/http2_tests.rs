//! An HTTP/2 server over TLS inside the test, which counts connections.

use std::convert::Infallible;
use std::ffi::OsString;
use std::io::Read as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as STANDARD;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;
use url::Url;

use crate::{
    ClientIdentity, Credentials, FailureKind, Method, Proxies, Secret, Tls, TlsTrust, UnverifiedHost, WebClient,
    WebFailure, WebLimits, WebRequest,
};

struct Http2Server {
    address: SocketAddr,
    /// PEM.
    certificate: String,
    connections: Arc<AtomicUsize>,
    /// Its tasks end when it is dropped.
    _runtime: Runtime,
}

impl Http2Server {
    /// It answers with the path. After `/last` nothing is heard from that connection any more, and it stays open.
    fn start() -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let certificate = pem(made.cert.der());
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let mut config = config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        runtime.spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(socket).await else { return };
                    let (silenced, silence) = tokio::sync::watch::channel(false);
                    let answer = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
                        let path = request.uri().path().to_owned();
                        if path == "/last" {
                            let _ = silenced.send(true);
                        }
                        async move { Ok::<_, Infallible>(hyper::Response::new(path)) }
                    });
                    let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), answer));
                    // Once more after the silence began, so that the last answer leaves.
                    let mut ticks = tokio::time::interval(Duration::from_millis(10));
                    let mut answered = false;
                    loop {
                        tokio::select! {
                            _ = connection.as_mut() => return,
                            _ = ticks.tick() => {
                                if answered {
                                    std::future::pending::<()>().await;
                                }
                                answered = *silence.borrow();
                            }
                        }
                    }
                });
            }
        });
        Self { address, certificate, connections, _runtime: runtime }
    }

    fn client(&self, limits: WebLimits) -> WebClient {
        trusting(limits, TlsTrust::Authorities(self.certificate.clone().into_bytes()))
    }

    fn ask(&self, client: &WebClient, path: &str) -> Result<String, WebFailure> {
        let url = Url::parse(&format!("https://localhost:{}{path}", self.address.port())).unwrap();
        let request = WebRequest::new(Method::GET, url);
        let answer = client.send::<WebFailure>(request, &|url| Ok(Credentials::of_url(url)))?;
        let mut text = String::new();
        answer.into_body().read_to_string(&mut text).map_err(|error| WebFailure::of_body(&error))?;
        Ok(text)
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

#[test]
fn many_small_downloads_from_an_http2_server_share_one_connection() {
    let server = Http2Server::start();
    let client = server.client(WebLimits::default());
    // All at once, to a server that was never met.
    std::thread::scope(|scope| {
        for thread in 0..16 {
            let (server, client) = (&server, &client);
            scope.spawn(move || {
                for number in 0..20 {
                    let path = format!("/{thread}/{number}");
                    assert_eq!(server.ask(client, &path).unwrap(), path);
                }
            });
        }
    });
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_shared_connection_that_died_in_silence_does_not_take_the_next_attempts_with_it() {
    let server = Http2Server::start();
    let client = server.client(WebLimits { stall: Duration::from_secs(3), ..WebLimits::default() });
    assert_eq!(server.ask(&client, "/last").unwrap(), "/last");
    // Waits until the connection is given up: nobody answers on it any more.
    let failed = loop {
        match server.ask(&client, "/silent") {
            Ok(_) if server.connections() == 1 => std::thread::yield_now(),
            outcome => break outcome,
        }
    };
    assert_eq!(failed.unwrap_err().kind, FailureKind::Passing);
    assert_eq!(server.ask(&client, "/again").unwrap(), "/again");
    assert_eq!(server.connections(), 2);
}

#[test]
fn a_server_that_nobody_vouches_for_is_refused_for_good() {
    let server = Http2Server::start();
    let client = WebClient::new(Proxies::default(), WebLimits::default());
    assert_eq!(server.ask(&client, "/").unwrap_err().kind, FailureKind::Lasting);
}

fn pem(certificate: &[u8]) -> String {
    let text = STANDARD.encode(certificate);
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}

fn trusting(limits: WebLimits, trust: TlsTrust) -> WebClient {
    WebClient::with(Proxies::default(), limits, Tls { trust, ..Tls::default() })
}

#[test]
fn who_is_believed_can_be_said() {
    let server = Http2Server::start();
    let of = |trust| server.ask(&trusting(WebLimits::default(), trust), "/x");
    assert_eq!(of(TlsTrust::Anyone).unwrap(), "/x");
    assert_eq!(of(TlsTrust::Authorities(pem_of_another().into_bytes())).unwrap_err().kind, FailureKind::Lasting);
    for nothing in ["", "not PEM"] {
        let failure = of(TlsTrust::Authorities(nothing.as_bytes().to_vec())).unwrap_err();
        assert_eq!(failure.reason, "TLS cannot be used: the file of certificates holds none in PEM");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(folder.path().join("README"), "not PEM").unwrap();
    std::fs::write(&file, format!("{}\n{}", pem(b"not a certificate"), server.certificate)).unwrap();
    // `SSL_CERT_FILE` and `SSL_CERT_DIR`: alone, both, in a list, absent files, empty values.
    let list = std::env::join_paths([folder.path().join("absent"), folder.path().to_owned()]).unwrap();
    let cases = [
        (file.clone().into_os_string(), OsString::new(), Ok("/x")),
        (OsString::new(), list, Ok("/x")),
        (file.clone().into_os_string(), folder.path().join("absent").into_os_string(), Ok("/x")),
        (folder.path().join("absent").into_os_string(), OsString::new(), Err("there is no certificate in `")),
        (OsString::new(), OsString::new(), Err("certificate")),
    ];
    for (cert_file, cert_dir, expected) in cases {
        let variable = |name: &str| match name {
            "SSL_CERT_FILE" => Some(cert_file.clone()),
            _ => Some(cert_dir.clone()),
        };
        let found = of(TlsTrust::of(&variable));
        match expected {
            Ok(text) => assert_eq!(found.as_deref(), Ok(text), "for {cert_file:?} {cert_dir:?}"),
            Err(text) => assert!(found.unwrap_err().reason.contains(text), "for {cert_file:?} {cert_dir:?}"),
        }
    }
    let identity =
        Some(ClientIdentity { certificates: server.certificate.clone().into_bytes(), key: Secret::new("no key") });
    let tls = Tls { trust: TlsTrust::Anyone, identity, ..Tls::default() };
    let client = WebClient::with(Proxies::default(), WebLimits::default(), tls);
    let failure = server.ask(&client, "/x").unwrap_err();
    assert!(failure.reason.contains("the private key is not a key in PEM"), "{failure:?}");
    assert!(!failure.reason.contains("no key"), "{failure:?}");
}

#[test]
fn only_the_named_servers_are_believed_without_a_look_at_their_certificate() {
    let servers = [Http2Server::start(), Http2Server::start()];
    let named = UnverifiedHost::new(format!("localhost:{}", servers[0].address.port()));
    let tls =
        Tls { trust: TlsTrust::Authorities(pem_of_another().into_bytes()), unverified: vec![named], identity: None };
    let client = WebClient::with(Proxies::default(), WebLimits::default(), tls);
    for _ in 0..2 {
        assert_eq!(servers[0].ask(&client, "/x").unwrap(), "/x");
        assert_eq!(servers[1].ask(&client, "/x").unwrap_err().kind, FailureKind::Lasting);
    }
}

fn pem_of_another() -> String {
    pem(rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap().cert.der())
}
