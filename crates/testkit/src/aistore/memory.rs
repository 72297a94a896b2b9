//! As much of AIStore as a place of objects and Python's client need, in memory: buckets, objects with versions, uploads in
//! parts, listings in MessagePack. It ignores conditions, as AIStore does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::json;

use super::server::{AIStoreReply, AIStoreRequest, FakeAIStore, error, redirect, reply};

/// What is stored. It has the bucket `b` from the start; clones share it.
#[derive(Clone, Default)]
pub struct AIStoreMemory(Arc<Mutex<StoredBuckets>>);

struct StoredBuckets {
    buckets: BTreeMap<String, FakeBucket>,
    /// Uploads in parts, ever.
    begun: usize,
    /// Names in a page of a listing; 0 means few, so that there are several.
    page: usize,
}

impl Default for StoredBuckets {
    fn default() -> Self {
        Self { buckets: [("b".to_owned(), FakeBucket::default())].into(), begun: 0, page: 0 }
    }
}

#[derive(Default)]
struct FakeBucket {
    objects: BTreeMap<String, (Vec<u8>, u64)>,
    uploads: BTreeMap<String, BTreeMap<u32, Vec<u8>>>,
}

impl AIStoreMemory {
    /// With listings in pages of so many names.
    pub fn with_pages(page: usize) -> Self {
        let memory = Self::default();
        memory.stored().page = page;
        memory
    }

    /// One server that answers everything itself.
    pub fn serve(&self) -> FakeAIStore {
        let memory = self.clone();
        FakeAIStore::start(move |request, _| memory.answer(request))
    }

    /// A proxy that sends everybody on to a target for objects: with 301 to read, with 307 for the rest.
    pub fn serve_by_target(&self) -> (FakeAIStore, FakeAIStore) {
        let (target, memory) = (self.serve(), self.clone());
        let at = target.url("");
        let proxy = FakeAIStore::start(move |request, _| {
            if !request.path.starts_with("/v1/objects/") {
                return memory.answer(request);
            }
            let status = if request.method == "GET" { 301 } else { 307 };
            let mark = if request.query.is_empty() { "" } else { "&" };
            let query = format!("{}{mark}pid=p1&utm=17&vpams=3", request.query);
            redirect(status, &format!("{at}{}?{query}", request.path))
        });
        (proxy, target)
    }

    /// What a cluster with these objects answers.
    pub fn answer(&self, request: &AIStoreRequest) -> AIStoreReply {
        // Asked before the content is read: nobody is redirected here.
        if request.header("content-length").parse::<usize>().unwrap_or(0) != request.body.len() {
            return reply(200, "");
        }
        self.stored().answer(request)
    }

    /// As another version of an object that is there.
    pub fn put(&self, name: &str, bytes: &[u8]) {
        self.stored().buckets.get_mut("b").unwrap().store(name, bytes.to_vec());
    }

    /// All objects of the bucket `b`, sorted by name.
    pub fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        self.stored().buckets["b"].objects.iter().map(|(name, (bytes, _))| (name.clone(), bytes.clone())).collect()
    }

    fn stored(&self) -> MutexGuard<'_, StoredBuckets> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StoredBuckets {
    fn answer(&mut self, request: &AIStoreRequest) -> AIStoreReply {
        if request.path == "/v1/buckets" {
            let named = |name: &String| json!({ "name": name, "provider": "ais" });
            return reply(200, json!(self.buckets.keys().map(named).collect::<Vec<_>>()).to_string());
        }
        if let Some(path) = request.path.strip_prefix("/v1/objects/") {
            let (name, object) = path.split_once('/').unwrap_or((path, ""));
            return match self.buckets.get_mut(name) {
                Some(bucket) => bucket.answer(request, name, &decoded(object), &mut self.begun),
                None => no_bucket(name),
            };
        }
        let Some(name) = request.path.strip_prefix("/v1/buckets/") else { return error(404, "", "nothing is there") };
        match (request.method.as_str(), self.buckets.get(name)) {
            ("POST", Some(_)) => {
                error(409, "ErrBucketAlreadyExists", &format!("bucket \"ais://{name}\" already exists"))
            }
            ("POST", None) => {
                self.buckets.insert(name.to_owned(), FakeBucket::default());
                reply(200, "")
            }
            (_, None) => no_bucket(name),
            ("DELETE", _) => {
                self.buckets.remove(name);
                reply(200, "")
            }
            ("HEAD", _) => reply(200, "").header("Ais-Bucket-Props", r#"{"checksum":{"type":"xxhash2"}}"#),
            (_, Some(bucket)) => bucket.list(request, if self.page == 0 { 3 } else { self.page }),
        }
    }
}

impl FakeBucket {
    fn answer(&mut self, request: &AIStoreRequest, bucket: &str, name: &str, begun: &mut usize) -> AIStoreReply {
        let upload = query(request, "uploadId");
        match (request.method.as_str(), upload) {
            ("POST", None) => {
                *begun += 1;
                let id = format!("u{begun}");
                self.uploads.insert(id.clone(), BTreeMap::new());
                reply(200, id)
            }
            ("PUT", Some(id)) => {
                let number = query(request, "partNumber").unwrap().parse().unwrap();
                self.uploads.get_mut(&id).unwrap().insert(number, request.body.clone());
                reply(200, "")
            }
            ("POST", Some(id)) => {
                let parts = self.uploads.remove(&id).unwrap();
                self.store(name, parts.into_values().flatten().collect())
            }
            ("DELETE", Some(id)) => {
                self.uploads.remove(&id);
                reply(200, "")
            }
            ("PUT", None) => self.store(name, request.body.clone()),
            ("DELETE", None) if self.objects.remove(name).is_some() => reply(200, ""),
            ("DELETE", None) => missing(bucket, name),
            _ => self.give(request, bucket, name),
        }
    }

    fn store(&mut self, name: &str, bytes: Vec<u8>) -> AIStoreReply {
        let version = self.objects.get(name).map_or(0, |(_, version)| *version) + 1;
        let stored = described(reply(200, ""), &bytes, version);
        self.objects.insert(name.to_owned(), (bytes, version));
        stored
    }

    fn give(&self, request: &AIStoreRequest, bucket: &str, name: &str) -> AIStoreReply {
        let Some((bytes, version)) = self.objects.get(name) else { return missing(bucket, name) };
        if request.method == "HEAD" {
            return described(reply(200, ""), bytes, *version).header("Content-Length", &bytes.len().to_string());
        }
        let range = request.header("range").strip_prefix("bytes=").and_then(|range| range.split_once('-'));
        let Some((start, end)) = range else { return described(reply(200, bytes.clone()), bytes, *version) };
        let end: Option<usize> = end.parse().ok();
        let (start, end) = match start.parse() {
            Ok(start) => (start, end.map_or(bytes.len(), |last| (last + 1).min(bytes.len()))),
            // The last so many bytes.
            Err(_) => (bytes.len().saturating_sub(end.unwrap()), bytes.len()),
        };
        if start >= end {
            return error(416, "ErrRangeNotSatisfiable", "not satisfiable");
        }
        let range = format!("bytes {start}-{}/{}", end - 1, bytes.len());
        described(reply(206, &bytes[start..end]), bytes, *version).header("Content-Range", &range)
    }

    fn list(&self, request: &AIStoreRequest, size: usize) -> AIStoreReply {
        let value = request.json()["value"].clone();
        let (prefix, after) = (value["prefix"].as_str().unwrap(), value["continuation_token"].as_str().unwrap());
        let found = self.objects.iter().filter(|(name, _)| name.starts_with(prefix) && name.as_str() > after);
        let page: Vec<_> = found.take(size).collect();
        let token = if page.len() == size { page[size - 1].0.clone() } else { String::new() };
        let entries: Vec<_> = page
            .into_iter()
            .map(|(name, (bytes, version))| {
                json!({ "n": name, "s": bytes.len(), "v": version.to_string(), "a": "2100-01-01T00:00:00Z", "f": 64 })
            })
            .collect();
        let page = json!({ "UUID": "U", "ContinuationToken": token, "Entries": entries, "Flags": 0 });
        reply(200, rmp_serde::to_vec_named(&page).unwrap()).header("Content-Type", "application/msgpack")
    }
}

fn missing(bucket: &str, name: &str) -> AIStoreReply {
    absent("ErrNotFound", &format!("t[x]: ais://{bucket}/{name} does not exist"))
}

fn no_bucket(bucket: &str) -> AIStoreReply {
    absent("ErrBckNotFound", &format!("bucket \"ais://{bucket}\" does not exist"))
}

/// Answers to HEAD have no body.
fn absent(code: &str, message: &str) -> AIStoreReply {
    let said = json!({ "tcode": code, "message": message, "status": 404 }).to_string();
    reply(404, said.clone()).header("Hdr-Error", &said)
}

fn described(reply: AIStoreReply, bytes: &[u8], version: u64) -> AIStoreReply {
    let checksum = format!("{:016x}", xxhash_rust::xxh64::xxh64(bytes, 0));
    let reply = reply.header("Ais-Checksum-Type", "xxhash2").header("Ais-Checksum-Value", &checksum);
    reply.header("Ais-Version", &version.to_string())
}

fn query(request: &AIStoreRequest, name: &str) -> Option<String> {
    let pairs = request.query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.into_iter().find(|(key, _)| *key == name).map(|(_, value)| decoded(value))
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        match (first, tail.get(..2).and_then(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).unwrap()
}
