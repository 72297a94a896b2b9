//! Jobs: what a cluster does in the background, and waiting for it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};
use web::Method;

use crate::call::{ApiCall, body, body_text, unreadable};
use crate::client::Client;
use crate::{Bucket, Error};

/// A job that was begun.
#[derive(Clone, Debug)]
pub struct JobHandle<'a> {
    client: &'a Client,
    id: String,
}

/// Which jobs; everything that is empty is any.
#[derive(Clone, Debug, Default)]
pub struct JobQuery {
    pub id: String,
    /// Such as `copy-bck`, `rebalance`, `lru`.
    pub kind: String,
    /// On this target alone.
    pub node: String,
    pub bucket: Option<Bucket>,
}

/// How far a job is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct JobStatus {
    pub kind: String,
    #[serde(rename = "uuid")]
    pub id: String,
    /// Empty: nothing went wrong so far.
    #[serde(rename = "err")]
    pub error: String,
    /// In nanoseconds since 1970; 0 while it runs.
    pub end_time: i64,
    #[serde(rename = "aborted")]
    pub is_aborted: bool,
    pub is_idle: bool,
}

/// What one target says about a job.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct JobSnapshot {
    pub id: String,
    pub kind: String,
    /// RFC 3339.
    #[serde(rename = "start-time")]
    pub start_time: String,
    /// Year 1 while it runs.
    #[serde(rename = "end-time")]
    pub end_time: String,
    #[serde(rename = "aborted")]
    pub is_aborted: bool,
    pub is_idle: bool,
    #[serde(rename = "abort-err")]
    pub abort_error: String,
    #[serde(rename = "err")]
    pub error: String,
    pub stats: Value,
}

/// How long to wait for a job: 5 minutes by default.
#[derive(Clone, Copy, Debug)]
pub struct WaitOptions {
    pub limit: Duration,
}

impl Default for WaitOptions {
    fn default() -> Self {
        Self { limit: Duration::from_secs(300) }
    }
}

impl WaitOptions {
    /// Between two looks: often for short waits, seldom for long ones.
    fn step(&self) -> Duration {
        let eighth = (self.limit / 8).min(Duration::from_secs(1));
        eighth.max(self.limit / 64).max(Duration::from_millis(100))
    }
}

impl JobQuery {
    fn message(&self) -> Value {
        json!({
            "ID": self.id,
            "Kind": self.kind,
            "DaemonID": self.node,
            "Bck": self.bucket.as_ref().map(Bucket::message),
            "Buckets": null,
        })
    }
}

impl Client {
    /// A job by its id; nothing is asked.
    pub fn job(&self, id: &str) -> JobHandle<'_> {
        JobHandle { client: self, id: id.to_owned() }
    }

    /// Begins a job such as `lru` or `rebalance`.
    ///
    /// # Errors
    /// What the server says.
    pub fn start_job(&self, query: &JobQuery) -> Result<JobHandle<'_>, Error> {
        let call = ApiCall::new(Method::PUT, "/v1/cluster".to_owned(), Vec::new()).action("start", &query.message());
        let request = call.shown();
        let id = body_text(&request, self.call(call)?)?;
        Ok(self.job(&id))
    }

    /// # Errors
    /// What the server says.
    pub fn stop_job(&self, query: &JobQuery) -> Result<(), Error> {
        let call = ApiCall::new(Method::PUT, "/v1/cluster".to_owned(), Vec::new()).action("stop", &query.message());
        self.call(call).map(drop)
    }

    /// Names of what runs: `copy-bck[x1]`.
    ///
    /// # Errors
    /// What the server says.
    pub fn running_jobs(&self, query: &JobQuery) -> Result<Vec<String>, Error> {
        let names: Option<Vec<String>> = self.job_query("running_all", query)?;
        Ok(names.unwrap_or_default())
    }

    /// What each target says about the jobs, by its id.
    ///
    /// # Errors
    /// What the server says.
    pub fn job_snapshots(&self, query: &JobQuery) -> Result<BTreeMap<String, Vec<JobSnapshot>>, Error> {
        let found: Option<BTreeMap<String, Option<Vec<JobSnapshot>>>> = self.job_query("qryxstats", query)?;
        Ok(found.unwrap_or_default().into_iter().map(|(node, rows)| (node, rows.unwrap_or_default())).collect())
    }

    fn job_query<T: for<'a> Deserialize<'a>>(&self, what: &str, query: &JobQuery) -> Result<T, Error> {
        let mut call = ApiCall::new(Method::GET, "/v1/cluster".to_owned(), vec![("what", what.to_owned())]);
        call.json(&query.message());
        let request = call.shown();
        let bytes = body(&request, self.call(call)?)?;
        serde_json::from_slice(&bytes).map_err(|error| unreadable(&request, error.to_string(), &bytes))
    }
}

impl JobHandle<'_> {
    /// The id by which the cluster knows it, also after this client has ended.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// # Errors
    /// [`crate::RefusalKind::NotFound`] for an unknown job.
    pub fn status(&self) -> Result<JobStatus, Error> {
        self.client.job_query("status", &self.query())
    }

    /// Until the job has ended well.
    ///
    /// # Errors
    /// It failed, was aborted, or takes longer than the limit; then it goes on.
    pub fn wait(&self, options: &WaitOptions) -> Result<JobStatus, Error> {
        self.poll(options, || {
            let status = self.status()?;
            if status.is_aborted {
                return Err(Error::JobAborted { job: self.id.clone(), message: status.error });
            }
            if status.end_time == 0 {
                return Ok(None);
            }
            if !status.error.is_empty() {
                return Err(Error::JobFailed { job: self.id.clone(), message: status.error });
            }
            Ok(Some(status))
        })
    }

    /// Until the job has nothing to do: for kinds that never end by themselves (copies and archives of groups,
    /// downloads). Two looks in a row have to agree.
    ///
    /// # Errors
    /// It failed, was aborted, or takes longer than the limit; then it goes on.
    pub fn wait_for_idle(&self, options: &WaitOptions) -> Result<(), Error> {
        let mut idle = 0;
        self.poll(options, || {
            let rows: Vec<JobSnapshot> = self.client.job_snapshots(&self.query())?.into_values().flatten().collect();
            if let Some(row) = rows.iter().find(|row| row.is_aborted) {
                return Err(Error::JobAborted { job: self.id.clone(), message: row.abort_error.clone() });
            }
            if let Some(row) = rows.iter().find(|row| !row.error.is_empty()) {
                return Err(Error::JobFailed { job: self.id.clone(), message: row.error.clone() });
            }
            let is_idle = !rows.is_empty() && rows.iter().all(|row| row.is_idle || has_ended(&row.end_time));
            idle = if is_idle { idle + 1 } else { 0 };
            Ok((idle >= 2).then_some(()))
        })
    }

    /// # Errors
    /// What the server says.
    pub fn stop(&self) -> Result<(), Error> {
        self.client.stop_job(&self.query())
    }

    fn query(&self) -> JobQuery {
        JobQuery { id: self.id.clone(), ..JobQuery::default() }
    }

    fn poll<T>(&self, options: &WaitOptions, mut look: impl FnMut() -> Result<Option<T>, Error>) -> Result<T, Error> {
        let begun = Instant::now();
        loop {
            if let Some(found) = look()? {
                return Ok(found);
            }
            let left = options.limit.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return Err(Error::JobUnfinished { job: self.id.clone(), limit: options.limit });
            }
            std::thread::sleep(options.step().min(left));
        }
    }
}

/// Year 1 stands for no time at all.
fn has_ended(time: &str) -> bool {
    !time.is_empty() && !time.starts_with("0001-")
}
