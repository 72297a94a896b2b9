use std::time::Duration;

use aistore_client::{Error, WaitOptions};
use serde_json::{Value, json};

use crate::fake::{Ask as _, FakeAIStore, reply};

fn answering(answers: Vec<Value>) -> FakeAIStore {
    FakeAIStore::start(move |_, number| reply(200, answers[number.min(answers.len() - 1)].to_string()))
}

fn status(end_time: i64, is_aborted: bool, error: &str) -> Value {
    json!({ "kind": "copy-bck", "uuid": "x1", "err": error, "end_time": end_time, "aborted": is_aborted, "is_idle": false })
}

const SOON: WaitOptions = WaitOptions { limit: Duration::from_secs(20) };

#[test]
fn ais_35_a_job_is_waited_for_until_it_ends_and_how_it_ended_counts() {
    let fake = answering(vec![status(0, false, ""), status(0, false, ""), status(5, false, "")]);
    let found = fake.client().job("x1").wait(&SOON).unwrap();
    assert_eq!((found.end_time, fake.log().len()), (5, 3));
    let request = &fake.log()[0];
    assert_eq!(request.line(), "GET /v1/cluster?what=status");
    assert_eq!(request.json(), json!({ "ID": "x1", "Kind": "", "DaemonID": "", "Bck": null, "Buckets": null }));

    let fake = answering(vec![status(5, true, "stopped")]);
    assert!(matches!(fake.client().job("x1").wait(&SOON), Err(Error::JobAborted { .. })));
    let fake = answering(vec![status(5, false, "no luck")]);
    let failure = fake.client().job("x1").wait(&SOON).unwrap_err();
    assert!(matches!(&failure, Error::JobFailed { message, .. } if message == "no luck"), "{failure}");
    let fake = answering(vec![status(0, false, "")]);
    let failure = fake.client().job("x1").wait(&WaitOptions { limit: Duration::from_millis(1) }).unwrap_err();
    assert!(matches!(failure, Error::JobUnfinished { .. }), "{failure}");
}

#[test]
fn a_job_that_never_ends_is_idle_when_all_targets_say_so_twice() {
    let row =
        |is_idle: bool, end: &str| json!([{ "id": "x1", "kind": "archive", "end-time": end, "is_idle": is_idle }]);
    let (running, ended) = ("0001-01-01T00:00:00Z", "2026-11-29T00:00:00Z");
    let fake = answering(vec![
        json!({ "t1": row(true, running), "t2": null }),
        json!({ "t1": row(true, running), "t2": row(false, running) }),
        json!({ "t1": row(true, running), "t2": row(false, ended) }),
        json!({ "t1": row(true, running), "t2": row(true, running) }),
    ]);
    fake.client().job("x1").wait_for_idle(&SOON).unwrap();
    assert_eq!(fake.log().len(), 4);
}
