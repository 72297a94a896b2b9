//! Requests against real sockets: what ends a transfer, what a proxy is told, what a file's way to a server is.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use testkit::HttpServer;
use url::Url;
use web::{Credentials, FailureKind, Method, Proxies, WebClient, WebFailure, WebLimits, WebRequest};

/// For what must happen at last, on however busy a machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn get(url: &str) -> WebRequest {
    WebRequest::new(Method::GET, Url::parse(url).unwrap())
}

fn direct() -> WebClient {
    WebClient::new(Proxies::default(), WebLimits::default())
}

/// For `http` and `https`.
fn through(proxy: &str, except: &str) -> WebClient {
    let proxies = Proxies::of(&|name| match name {
        "ALL_PROXY" => Some(proxy.to_owned()),
        "NO_PROXY" => Some(except.to_owned()),
        _ => None,
    });
    WebClient::new(proxies, WebLimits::default())
}

fn text(client: &WebClient, url: &str) -> Result<String, WebFailure> {
    let mut text = String::new();
    let answer = client.send::<WebFailure>(get(url), &|url| Ok(Credentials::of_url(url)))?;
    answer.into_body().read_to_string(&mut text).map_err(|error| WebFailure::of_body(&error))?;
    Ok(text)
}

/// Runs `serve` on the first connection, on a thread of its own. Gives the host with its port.
fn once<T: Send + 'static>(serve: impl FnOnce(TcpStream) -> T + Send + 'static) -> (String, Receiver<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let (sender, outcome) = channel();
    thread::spawn(move || {
        let (connection, _) = listener.accept().unwrap();
        let _ = sender.send(serve(connection));
    });
    (host, outcome)
}

/// The request's head, line by line.
fn head_of(connection: &TcpStream) -> Vec<String> {
    let lines = BufReader::new(connection).lines().map(Result::unwrap);
    lines.take_while(|line| !line.is_empty()).collect()
}

#[test]
fn an_answer_that_nobody_reads_to_its_end_closes_its_connection() {
    for read_some in [false, true] {
        let (host, closed) = once(|mut connection| {
            head_of(&connection);
            connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nbegun").unwrap();
            // The end of what the client sends, or a reset.
            let mut rest = Vec::new();
            let _ = connection.read_to_end(&mut rest);
            rest.is_empty()
        });
        let client = direct();
        let answer = client.ask(&get(&format!("http://{host}/"))).unwrap();
        if read_some {
            let mut body = answer.into_body();
            let mut begun = [0; 5];
            body.read_exact(&mut begun).unwrap();
            assert_eq!(&begun, b"begun");
            drop(body);
        } else {
            drop(answer);
        }
        assert!(closed.recv_timeout(PATIENCE).expect("the connection is closed"), "read some: {read_some}");
        // Only now, so that it is not the client's end that closed it.
        drop(client);
    }
}

#[test]
fn requests_one_after_another_share_a_connection_and_one_that_the_server_closed_is_not_used() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (sender, answered) = channel();
    thread::spawn(move || {
        for (number, connection) in listener.incoming().map(Result::unwrap).enumerate() {
            let answer = || {
                head_of(&connection);
                (&connection).write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
            };
            answer();
            sender.send(number).unwrap();
            answer();
            drop(connection);
            sender.send(number).unwrap();
        }
    });
    let client = direct();
    for expected in [0, 0, 1, 1, 2] {
        assert_eq!(text(&client, &url).unwrap(), "ok");
        assert_eq!(answered.recv_timeout(PATIENCE).unwrap(), expected);
    }
}

#[test]
fn an_answer_that_is_not_read_yet_keeps_no_other_request_waiting_and_outlives_its_client() {
    let server = HttpServer::start();
    server.put("/slow", vec![7; 1 << 20]);
    server.put("/quick", "quick");
    let client = direct();
    let mut body = client.ask(&get(&server.url("/slow"))).unwrap().into_body();
    let mut begun = vec![0; 1000];
    body.read_exact(&mut begun).unwrap();
    assert_eq!(text(&client, &server.url("/quick")).unwrap(), "quick");
    drop(client);
    body.read_to_end(&mut begun).unwrap();
    assert_eq!(begun, vec![7; 1 << 20]);
}

#[test]
fn what_nobody_reads_stays_with_the_server() {
    const MUCH: usize = 512 << 20;
    let (host, accepted) = once(|mut connection| {
        head_of(&connection);
        write!(connection, "HTTP/1.1 200 OK\r\nContent-Length: {MUCH}\r\n\r\n").unwrap();
        connection.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
        let block = vec![0; 1 << 20];
        let mut accepted = 0;
        // Until the buffers of both ends are full.
        while accepted < MUCH
            && let Ok(count) = connection.write(&block)
        {
            accepted += count;
        }
        accepted
    });
    let client = direct();
    let mut body = client.ask(&get(&format!("http://{host}/"))).unwrap().into_body();
    body.read_exact(&mut [0; 10]).unwrap();
    let accepted = accepted.recv_timeout(PATIENCE).unwrap();
    assert!(accepted < MUCH / 4, "{accepted} bytes");
    drop(body);
}

#[test]
fn a_proxy_gets_the_whole_url_and_its_own_credentials_and_each_hop_of_a_redirect_has_its_own_proxy() {
    let (proxy, server) = (HttpServer::start(), HttpServer::start());
    server.put("/file", "from the server");
    proxy.redirect("http://far.example/file", &server.url("/file"));
    let at = proxy.url("").replace("http://", "http://ada:p%40ss@");
    let client = through(&at, "127.0.0.1");
    assert_eq!(text(&client, "http://bob:pw@far.example/file").unwrap(), "from the server");
    let header = |request: &testkit::HttpRequest, name: &str| request.headers.get(name).cloned();
    let asked = proxy.requests();
    assert_eq!(asked.len(), 1);
    // ada:p@ss and bob:pw
    assert_eq!(header(&asked[0], "proxy-authorization").as_deref(), Some("Basic YWRhOnBAc3M="));
    assert_eq!(header(&asked[0], "authorization").as_deref(), Some("Basic Ym9iOnB3"));
    let asked = server.requests();
    assert_eq!(asked.len(), 1);
    for name in ["proxy-authorization", "authorization"] {
        assert_eq!(header(&asked[0], name), None, "{name}");
    }
}

#[test]
fn a_socks_proxy_gets_credentials_and_the_name_to_resolve() {
    let (host, told) = once(|mut connection| {
        let take = |count: usize| {
            let mut bytes = vec![0; count];
            (&connection).read_exact(&mut bytes).unwrap();
            bytes
        };
        // RFC 1928 and 1929: the methods, user and password, the target.
        let methods = take(2)[1];
        take(methods.into());
        (&connection).write_all(&[5, 2]).unwrap();
        let counted = |head: usize| {
            let length = take(head)[head - 1];
            String::from_utf8(take(length.into())).unwrap()
        };
        let told = [counted(2), counted(1)];
        (&connection).write_all(&[1, 0]).unwrap();
        let target = counted(5);
        take(2);
        (&connection).write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).unwrap();
        let head = head_of(&connection);
        connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
        (told, target, head[0].clone())
    });
    let client = through(&format!("socks5h://ada:p%40ss@{host}"), "");
    assert_eq!(text(&client, "http://far.example/file").unwrap(), "ok");
    let (told, target, line) = told.recv_timeout(PATIENCE).unwrap();
    assert_eq!((told, target.as_str()), (["ada".to_owned(), "p@ss".to_owned()], "far.example"));
    assert_eq!(line, "GET /file HTTP/1.1");
}

#[test]
fn a_proxy_that_refuses_a_tunnel_refuses_for_good() {
    let (host, asked) = once(|mut connection| {
        let head = head_of(&connection);
        connection.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n").unwrap();
        head
    });
    let failure = text(&through(&format!("http://ada:pw@{host}"), ""), "https://far.example/file?key=1").unwrap_err();
    assert_eq!(failure.kind, FailureKind::Lasting);
    assert!(failure.reason.contains("proxy authorization required"), "{failure:?}");
    let head = asked.recv_timeout(PATIENCE).unwrap();
    assert_eq!(head[0], "CONNECT far.example:443 HTTP/1.1");
    let sent = head.iter().map(|line| line.to_ascii_lowercase()).find(|line| line.starts_with("proxy-authorization"));
    assert_eq!(sent.as_deref(), Some("proxy-authorization: basic ywrhonb3"));
}

#[test]
fn failures_are_told_without_the_url_and_say_whether_another_attempt_may_help() {
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let answering = |bytes: &'static [u8]| {
        let (host, _) = once(move |mut connection| {
            head_of(&connection);
            connection.write_all(bytes)
        });
        host
    };
    let cases = [
        // (host, the reason's beginning)
        (unused.to_string(), "the connection was refused"),
        ("secret.invalid".to_owned(), "the host's name does not resolve"),
        (answering(b""), "the connection failed: "),
        (answering(b"no HTTP\r\n\r\n"), "the connection failed: "),
        (answering(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbegun"), "the connection broke: "),
    ];
    for (host, begins) in cases {
        let failure = text(&direct(), &format!("http://{host}/secret?secret=1")).unwrap_err();
        assert!(failure.reason.starts_with(begins) && !failure.reason.contains("secret"), "{host}: {failure:?}");
        assert_eq!(failure.kind, FailureKind::Passing, "{host}: {failure:?}");
    }
}

#[test]
fn a_file_is_sent_with_its_length_and_nothing_else() {
    let content = vec![7; 300_000];
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), &content).unwrap();
    let (host, received) = once(|mut connection| {
        let mut reader = BufReader::new(connection.try_clone().unwrap());
        let head: Vec<String> =
            reader.by_ref().lines().map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
        let mut body = vec![0; 300_000];
        reader.read_exact(&mut body).unwrap();
        connection.write_all(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n").unwrap();
        (head, body)
    });
    let file = std::fs::File::open(folder.path().join("file")).unwrap();
    let ask = WebRequest { method: Method::PUT, ..get(&format!("http://{host}/file")) };
    assert_eq!(direct().give(&ask, file).unwrap().status().as_u16(), 201);
    let (head, body) = received.recv_timeout(PATIENCE).unwrap();
    assert_eq!(head[0], "PUT /file HTTP/1.1");
    let head = head.join("\n").to_ascii_lowercase();
    assert!(head.contains("content-length: 300000") && !head.contains("transfer-encoding"), "{head}");
    assert_eq!(body, content);
}

#[test]
fn bytes_come_in_pieces_as_they_arrived_and_reading_goes_on_between_them() {
    let (host, _) = once(|mut connection| {
        head_of(&connection);
        connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc").unwrap();
        connection.write_all(b"defghi").unwrap();
    });
    let mut body = direct().ask(&get(&format!("http://{host}/"))).unwrap().into_body();
    let mut first = [0; 2];
    body.read_exact(&mut first).unwrap();
    let mut all = first.to_vec();
    loop {
        let piece = body.piece().unwrap();
        if piece.is_empty() {
            break;
        }
        all.extend_from_slice(&piece);
    }
    assert_eq!(all, b"abcdefghi");
    assert_eq!((body.piece().unwrap().len(), body.read(&mut first).unwrap()), (0, 0), "the end stays the end");
}
