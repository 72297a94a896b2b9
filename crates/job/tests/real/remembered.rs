//! What a bake takes from an earlier one: never anything that a bake from an empty store would not have made.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use store::Context;
use testkit::{FixtureIndex, WheelBuilder};
use vocab::{Digest, Environment, Event};

use super::bake::{Bench, index, j1};
use super::{Job, context_in};

/// All that lies in the folder for results, with its digest.
fn written(bench: &Bench) -> BTreeMap<String, Digest> {
    let files = walkdir::WalkDir::new(bench.out()).into_iter().flatten().filter(|entry| entry.file_type().is_file());
    let of = |entry: walkdir::DirEntry| {
        let path = entry.path().strip_prefix(bench.out()).expect("it lies there").display().to_string();
        (path, Digest::of(fs::read(entry.path()).expect("it can be read")))
    };
    files.map(of).collect()
}

/// Whether the prefix of the next bake is put together.
fn assembles(bench: &mut Bench) -> impl Fn() -> bool + use<> {
    let heard = Arc::new(AtomicBool::new(false));
    let hears = Arc::clone(&heard);
    bench.context.work.listener = Arc::new(move |event| {
        if matches!(event, Event::StepStarted { step: "lay out the interpreter" }) {
            hears.store(true, Ordering::Relaxed);
        }
    });
    move || heard.swap(false, Ordering::Relaxed)
}

#[test]
fn klio_w10_a_bake_after_a_change_installs_the_job_alone_and_writes_what_an_empty_store_would() {
    let mut index = index();
    index.add(WheelBuilder::new("onlyhere", "1.0").file("onlyhere.py", "").build());
    let mut bench = Bench::with(&index);
    let assembles = assembles(&mut bench);
    let job = unknown_job();
    job.replace("setup.py", "\"tinydep\"", "\"tinydep\", \"onlyhere\"");
    bench.baked(&job);
    assert!(assembles(), "nothing is known of it");
    job.write("transforms.py", "x = 2\n");
    bench.baked(&job);
    assert!(!assembles(), "only the job is new");
    let again = written(&bench);
    bench.baked(&job);
    assert!(!assembles() && written(&bench) == again, "of a job that did not change");
    let store = tempfile::tempdir().expect("temporary folders can be made");
    let other = Bench { context: context_in(store.path().join("store")), ..Bench::with(&index) };
    other.baked(&job);
    assert_eq!(written(&other), again, "from an empty store");

    let parts = archive_of(&bench).artifact.expect("it was packed").parts;
    let part = parts.into_iter().find(|part| part.content.starts_with("onlyhere")).expect("it has a part");
    let options = archive::PackOptions { level: 3, ..archive::PackOptions::default() };
    let key = archive::part_key(&part.identity.expect("it has one"), &options);
    fs::remove_file(bench.context.store.part(&key)).expect("the store has it");
    bench.baked(&job);
    assert!(assembles() && written(&bench) == again, "a part that is missing is made again");
}

/// Not even an earlier run of the tests has baked it.
fn unknown_job() -> Job {
    let job = j1();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("it is later").as_nanos();
    job.replace("klio-job.yaml", "j1-job", &format!("job-of-{now}"));
    job
}

/// The manifest beside the only archive.
fn archive_of(bench: &Bench) -> vocab::Manifest {
    let names = written(bench).into_keys().find(|name| name.ends_with(".tar.zst.json")).expect("it was baked");
    archive::read_manifest(&fs::read(bench.out().join(names)).expect("it is there")).expect("a manifest")
}

#[test]
fn a_job_that_does_not_stand_apart_is_baked_and_checked_whole() {
    let mut bench = Bench::new();
    let assembles = assembles(&mut bench);
    let job = unknown_job();
    bench.baked(&job);
    assert!(assembles(), "nothing is known of it");
    bench.baked(&job);
    assert!(!assembles(), "only the job is new");
    job.write("libjob.so.1", "no library").replace("setup.py", "\"my-model.h5\"", "\"my-model.h5\", \"libjob.so.1\"");
    bench.baked(&job);
    assert!(assembles(), "what is called like a library");
    job.replace("setup.py", ", \"libjob.so.1\"", "");
    bench.baked(&job);
    assert!(!assembles());
    job.write("tinydep.py", "x = 3\n").replace("setup.py", "\"transforms\"", "\"transforms\", \"tinydep\"");
    let (baked, findings) = bench.bake(&job);
    assert!(baked.is_none() && findings.iter().any(|it| it.code == job::code::KJ080), "{findings:?}");
}

/// It has interpreters, and nothing of what was baked, for whoever has its turn.
static EMPTY: LazyLock<Mutex<Context>> =
    LazyLock::new(|| Mutex::new(context_in(Path::new(env!("CARGO_TARGET_TMPDIR")).join("store-of-first-bakes"))));

fn empty_store() -> MutexGuard<'static, Context> {
    let context = EMPTY.lock().unwrap_or_else(PoisonError::into_inner);
    for kind in ["memory", "parts", "imports", "wheels"] {
        for entry in fs::read_dir(context.store.root().join(kind)).into_iter().flatten().flatten() {
            let path = entry.path();
            let removed = if path.is_dir() { disk::remove_tree(&path) } else { fs::remove_file(&path) };
            removed.expect("it is ours");
        }
    }
    context
}

/// What a bake writes from an empty store, or the code of its fault.
fn anew(bench: &Bench, index: &FixtureIndex, job: &Job) -> Result<BTreeMap<String, Digest>, String> {
    let store = empty_store();
    let context = in_environment(&store, bench.context.environment.clone());
    let mut other = Bench { context, request: bench.request.clone(), ..Bench::with(index) };
    other.indexes.additional.clone_from(&bench.indexes.additional);
    result(&other, job)
}

fn in_environment(context: &Context, environment: Environment) -> Context {
    let mut context = context.in_environment(environment);
    context.work.offline = false;
    context
}

fn result(bench: &Bench, job: &Job) -> Result<BTreeMap<String, Digest>, String> {
    match bench.tried(job) {
        Ok((Some(_), _)) => Ok(written(bench)),
        Ok((None, findings)) => Err(findings.iter().map(|it| it.code.to_string()).collect::<Vec<_>>().join(" ")),
        Err(fault) => Err(fault.code().to_owned()),
    }
}

/// The file of the remembered runtimes that was written last.
fn remembered(context: &Context) -> PathBuf {
    let files = fs::read_dir(context.store.root().join("memory/settled-runtime")).expect("something is remembered");
    let time = |path: &PathBuf| fs::metadata(path).and_then(|it| it.modified()).expect("it is there");
    files.flatten().map(|it| it.path()).max_by_key(time).expect("something is remembered")
}

/// One change after the other. Each row: what is changed, and whether the runtime without the job is made anew.
#[test]
fn klio_w10_after_each_change_a_bake_writes_what_an_empty_store_would() {
    let index = index();
    let mut bench = Bench::with(&index);
    let assembles = assembles(&mut bench);
    let job = unknown_job();
    job.write("helper.py", "y = 1\n").write("notes.txt", "of the first version\n");
    job.replace("setup.py", "\"transforms\"]", "\"transforms\", \"helper\"]");
    job.replace("setup.py", "\"my-model.h5\"]", "\"my-model.h5\", \"notes.txt\"]");
    type Change = fn(&Job, &mut Bench);
    let rows: [(&str, Change, bool); 7] = [
        ("nothing is known", |_, _| (), true),
        (
            "a module and a data file go",
            |job, _| {
                job.remove("helper.py").remove("notes.txt");
                job.replace("setup.py", ", \"helper\"", "").replace("setup.py", ", \"notes.txt\"", "");
            },
            false,
        ),
        (
            "data below a folder of the interpreter, in no file's place",
            |job, _| {
                job.write("new.txt", "x");
                job.replace("setup.py", "data_files=[", "data_files=[(\"share/job/deep\", [\"new.txt\"]), ");
            },
            false,
        ),
        (
            "its configuration",
            |job, _| {
                job.replace("klio-job.yaml", "job_config: {}", "job_config: {a: 1}");
            },
            true,
        ),
        (
            "an index beside the default one",
            |_, bench| {
                let simple = bench.folder.path().join("index/simple");
                bench.indexes.additional = vec![format!("file://{}", simple.display())];
            },
            true,
        ),
        ("the time of all entries", |_, bench| bench.request.epoch += 86_400, true),
        (
            "a version of a dependency",
            |job, _| {
                job.replace("setup.py", "\"tinydep\"", "\"tinydep==1.0\"");
            },
            true,
        ),
    ];
    for (what, change, is_anew) in rows {
        change(&job, &mut bench);
        let ours = result(&bench, &job);
        assert_eq!(assembles(), is_anew, "{what}");
        assert!(ours.is_ok(), "{what}: {ours:?}");
        assert_eq!(ours, anew(&bench, &index, &job), "{what}");
    }
}

/// Two scripts of one name are a warning, of the first version alone.
#[test]
fn what_was_said_of_one_version_of_a_job_is_not_said_of_the_next() {
    let index = index();
    let bench = Bench::with(&index);
    let job = unknown_job();
    let scripts = "scripts=[\"tool\"], entry_points={\"console_scripts\": [\"tool = run:run\"]}, ";
    job.write("tool", "#!/bin/sh\n").replace("setup.py", "data_files=", &format!("{scripts}data_files="));
    let first = bench.baked(&job);
    let warnings = &first.runtime.warnings;
    assert!(warnings.iter().any(|it| it.code == "W_WHEEL_SCRIPTS"), "{warnings:?}");
    job.replace("setup.py", scripts, "");
    let ours = result(&bench, &job);
    assert!(ours.is_ok(), "{ours:?}");
    assert_eq!(ours, anew(&bench, &index, &job));
}

/// A dependency that imports a module which the job brings, without saying so.
#[test]
fn a_module_of_the_job_that_a_dependency_imports_is_missed_when_it_goes() {
    let mut index = index();
    index.add(WheelBuilder::new("asker", "1.0").file("asker.py", "import plugin_of_the_job\n").build());
    let mut bench = Bench::with(&index);
    let assembles = assembles(&mut bench);
    let job = unknown_job();
    job.replace("setup.py", "\"tinydep\"", "\"tinydep\", \"asker\"");
    job.write("plugin_of_the_job.py", "x = 1\n");
    job.replace("setup.py", "\"transforms\"]", "\"transforms\", \"plugin_of_the_job\"]");
    for (what, text) in [("nothing is known", "x = 2\n"), ("what is asked for may be another one", "x = 3\n")] {
        job.write("plugin_of_the_job.py", text);
        assert!(result(&bench, &job).is_ok() && assembles(), "{what}");
    }
    job.remove("plugin_of_the_job.py").replace("setup.py", ", \"plugin_of_the_job\"", "");
    let refused = result(&bench, &job);
    assert!(refused.is_err(), "a module of a dependency does not import");
    assert_eq!(refused, anew(&bench, &index, &job));
}

/// A script of a dependency that names it is refused where it is somebody's home.
#[test]
fn folders_that_no_file_may_name_count() {
    const HOME: &str = "/nowhere/home/of-a-job";
    let mut index = index();
    let script = format!("#!/bin/sh\n{HOME}/bin/tool\n");
    index.add(WheelBuilder::new("namer", "1.0").executable("namer-1.0.data/scripts/namer", script).build());
    let mut bench = Bench::with(&index);
    let job = unknown_job();
    job.replace("setup.py", "\"tinydep\"", "\"tinydep\", \"namer\"");
    assert!(result(&bench, &job).is_ok());
    let variables = bench.context.environment.iter().map(|(name, value)| (name.clone(), value.clone()));
    let others = variables.filter(|(name, _)| name != "HOME").collect::<Vec<_>>();
    let environment = Environment::new(others.into_iter().chain([("HOME".into(), HOME.into())]).collect::<Vec<_>>());
    bench.context = in_environment(&bench.context, environment);
    assert_eq!(result(&bench, &job), Err("E_LEAKED_PATH".to_owned()));
}

#[test]
fn what_is_damaged_in_the_store_is_not_believed() {
    let store = empty_store();
    let mut bench = Bench { context: store.clone(), ..Bench::new() };
    let assembles = assembles(&mut bench);
    let job = unknown_job();
    let right = result(&bench, &job);
    assert!(right.is_ok() && assembles(), "{right:?}");
    assert!(result(&bench, &job) == right && !assembles());

    // Still JSON, with another number of files.
    let fact = remembered(&store);
    let text = fs::read_to_string(&fact).expect("it is there");
    let place = text.find("\"files\":").expect("it says how many") + "\"files\":".len();
    let digit = if text[place..].starts_with('1') { "2" } else { "1" };
    fs::write(&fact, format!("{}{digit}{}", &text[..place], &text[place + 1..])).expect("it can be written");
    assert!(result(&bench, &job) == right && assembles(), "a number was changed");
    assert!(result(&bench, &job) == right && !assembles());

    fs::write(&fact, &text[..text.len() / 2]).expect("it can be written");
    assert!(result(&bench, &job) == right && assembles(), "half of it");

    let folder = store.store.root().join("parts");
    let parts = walkdir::WalkDir::new(folder).into_iter().flatten().filter(|it| it.file_type().is_file());
    let largest = parts.max_by_key(|it| it.metadata().map_or(0, |it| it.len())).expect("there are parts");
    let mut bytes = fs::read(largest.path()).expect("it can be read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(largest.path(), bytes).expect("it can be written");
    assert!(result(&bench, &job) == right && assembles(), "a byte of a part");
    assert!(result(&bench, &job) == right && !assembles(), "it was made again");

    // The interpreter's own files: they are in a part, and are mended when they are used.
    let bases = walkdir::WalkDir::new(store.store.root().join("bases")).into_iter().flatten();
    let files: Vec<_> = bases.filter(|it| it.file_name() == "this.py").map(walkdir::DirEntry::into_path).collect();
    assert!(!files.is_empty());
    for file in files {
        fs::remove_file(&file).expect("it is a file");
        fs::write(&file, "changed = True\n").expect("it can be written");
    }
    job.write("transforms.py", "x = 5\n");
    let changed = result(&bench, &job);
    assert!(changed.is_ok() && !assembles(), "{changed:?}");
    fs::remove_file(remembered(&store)).expect("it is there");
    assert!(result(&bench, &job) == changed && assembles(), "from the interpreter itself");
}

/// With one store, each into a folder of its own.
#[test]
fn bakes_at_once_write_what_each_alone_would() {
    let index = &index();
    let first = unknown_job();
    let second = j1();
    let name = fs::read_to_string(first.at("klio-job.yaml")).expect("it is there");
    second.write("klio-job.yaml", &name).write("transforms.py", "x = 7\n");
    let jobs = [&first, &second, &first];
    let both: Vec<_> = std::thread::scope(|scope| {
        let begun = Vec::from(jobs.map(|job| scope.spawn(move || result(&Bench::with(index), job))));
        begun.into_iter().map(|it| it.join().expect("it does not panic")).collect()
    });
    assert!(both[0].is_ok() && both[0] == both[2] && both[0] != both[1], "{both:?}");
    for (job, ours) in std::iter::zip(jobs, both).take(2) {
        assert_eq!(ours, anew(&Bench::with(index), index, job));
    }
}

/// Nor is anything taken that would decide which interpreter starts.
#[test]
fn data_files_replace_no_file_of_the_interpreter_after_a_bake_without_them() {
    let bench = Bench::new();
    let known = unknown_job();
    bench.baked(&known);
    let config = fs::read_to_string(known.at("klio-job.yaml")).expect("it is there");
    for (dest, name) in [("bin", "python3.12"), ("lib/python3.12", "this.py"), (".", "pyvenv.cfg")] {
        let job = j1();
        job.write(name, "").write("klio-job.yaml", &config);
        job.replace("setup.py", "data_files=[", &format!("data_files=[(\"{dest}\", [\"{name}\"]), "));
        let refused = result(&bench, &job);
        assert!(refused.is_err(), "{dest}/{name}");
    }
}
