"""A cluster of one proxy and two targets whose ETL pods are processes of `etl-runtime`, and what is asked of it.

Run in a network and a mount namespace of its own. Arguments: aisnode, etl-runtime, a new folder on a disk with extended
attributes, then the names of checks or a command to run with AIS_ENDPOINT set.
"""

import concurrent.futures
import functools
import http.server
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request

import pods
import pydist_etl
from aistore import Client
from aistore.sdk.etl import ETLConfig
from aistore.sdk.etl.webserver.fastapi_server import FastAPIServer
from aistore.sdk.etl.webserver.flask_server import FlaskServer
from aistore.sdk.etl.webserver.http_multi_threaded_server import HTTPMultiThreadedServer

# A target takes no loopback address for a node's.
ADDRESS = "10.77.0.1"
API_PORT = 6443
ENDPOINT = f"http://{ADDRESS}:20080"
TARGETS = 2


def run(*words):
    subprocess.run(words, check=True, capture_output=True)


def prepare(folder):
    """The network, and what a target expects to find of Kubernetes."""
    run("ip", "link", "set", "lo", "up")
    run("ip", "address", "add", f"{ADDRESS}/32", "dev", "lo")
    run(
        *"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=kubernetes".split(),
        *("-keyout", f"{folder}/tls.key", "-out", f"{folder}/tls.crt", "-addext", f"subjectAltName=IP:{ADDRESS}"),
    )
    run("mount", "-t", "tmpfs", "tmpfs", "/run")
    account = "/run/secrets/kubernetes.io/serviceaccount"
    os.makedirs(account)
    with open(f"{folder}/tls.crt", encoding="utf-8") as certificate:
        files = {"ca.crt": certificate.read(), "token": "token", "namespace": "ais"}
    for name, text in files.items():
        with open(f"{account}/{name}", "w", encoding="utf-8") as file:
            file.write(text)


def configure(folder):
    cluster = {
        "backend": {},
        "proxy": {"primary_url": ENDPOINT, "original_url": ENDPOINT, "discovery_url": "", "non_electable": False},
        "timeout": {
            **{"cplane_operation": "2s", "max_keepalive": "5s", "cold_get_conflict": "5s", "max_host_busy": "20s"},
            **{"startup_time": "30s", "join_startup_time": "2m", "send_file_time": "5m", "ec_streams_time": "10m"},
            "object_md": "2h",
        },
        "space": {"cleanupwm": 97, "lowwm": 98, "highwm": 99, "out_of_space": 100},
        "memsys": {
            **{"min_free": "128mb", "default_buf": "32kb", "to_gc": "1gb", "hk_time": "3m"},
            **{"min_pct_total": 0, "min_pct_free": 0},
        },
        "net": {
            "l4": {"proto": "tcp", "sndrcv_buf_size": 131072},
            "http": {
                **{"use_https": False, "idle_conn_time": "6s", "idle_conns_per_host": 32, "idle_conns": 256},
                "chunked_transfer": True,
            },
            "use_ipv6": False,
        },
        "auth": {},
        "features": "0",
    }
    write(f"{folder}/ais.json", cluster)
    for number in range(TARGETS + 1):
        own = f"{folder}/node{number}"
        os.makedirs(f"{own}/conf")
        os.makedirs(f"{own}/log")
        node = {
            "confdir": f"{own}/conf",
            "log_dir": f"{own}/log",
            "host_net": {
                **{"hostname": ADDRESS, "hostname_intra_control": ADDRESS, "hostname_intra_data": ADDRESS},
                "port": str(20080 + number),
                "port_intra_control": str(21080 + number),
                "port_intra_data": str(22080 + number),
            },
            "fspaths": {},
            "test_fspaths": {"root": f"{folder}/store", "count": 1, "instance": max(0, number - 1)},
        }
        write(f"{folder}/node{number}.json", node)
    os.makedirs(f"{folder}/store")


def write(path, value):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file)


def start_nodes(aisnode, folder):
    nodes = []
    for number in range(TARGETS + 1):
        role = "target" if number else "proxy"
        name = f"ais-{role}-{max(0, number - 1)}"
        variables = {name: value for name, value in os.environ.items() if not name.startswith("AIS_")}
        variables.update(
            KUBERNETES_SERVICE_HOST=ADDRESS,
            KUBERNETES_SERVICE_PORT=str(API_PORT),
            MY_NODE=f"node{number}",
            MY_POD=name,
            K8S_NS="ais",
            HOSTNAME=name,
        )
        own = "-standby=false" if number else f"-ntargets={TARGETS}"
        words = [aisnode, f"-role={role}", f"-config={folder}/ais.json", f"-local_config={folder}/node{number}.json", own]
        with open(f"{folder}/node{number}.out", "wb") as out:
            nodes.append(subprocess.Popen(words, env=variables, stdout=out, stderr=subprocess.STDOUT))
        if not number:
            time.sleep(2)
    return nodes


def asked(path):
    with urllib.request.urlopen(ENDPOINT + path, timeout=10) as answer:
        return json.loads(answer.read() or b"null")


def await_cluster(folder):
    until = time.monotonic() + 120
    while time.monotonic() < until:
        try:
            asked("/v1/health?prr=true")
        except ValueError:
            pass
        except OSError:
            time.sleep(0.3)
            continue
        try:
            if len(asked("/v1/daemon?what=smap")["tmap"]) == TARGETS:
                Client(ENDPOINT).bucket("ready").create()
                return
        except Exception:  # pylint: disable=broad-except
            time.sleep(0.3)
    outputs = [open(f"{folder}/node{number}.out", encoding="utf-8").read()[-1500:] for number in range(TARGETS + 1)]
    sys.exit("the cluster is not ready:\n" + "\n".join(outputs))


# What is asked of it.


def upper(base):
    class Upper(base):
        def transform(self, data, path, etl_args):
            return data.upper() + etl_args.encode()

    return Upper


BASES = {"fastapi": FastAPIServer, "flask": FlaskServer, "threaded": HTTPMultiThreadedServer}


def registered(client, name, base, comm_type, direct_put=True):
    etl = client.etl(name)
    pydist_etl.init_class(
        etl, image="ours", comm_type=comm_type, direct_put=direct_put, init_timeout="2m", NUM_WORKERS="2"
    )(upper(base))
    return etl


def filled(client, name, count, content):
    bucket = client.bucket(name).create(exist_ok=True)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        put = lambda number: bucket.object(f"dir/obj {number}.txt").get_writer().put_content(content(number))
        list(pool.map(put, range(count)))
    return bucket


def e1_every_server_and_way(client, _cluster):
    """20 objects inline, with arguments and from bucket to bucket; each framework, hpush and hpull."""
    source = filled(client, "source", 20, lambda number: f"object {number}".encode())
    for framework, base in BASES.items():
        for way in ("hpush", "hpull"):
            name = f"{framework}-{way}"
            etl = registered(client, name, base, way + "://")
            for number in range(20):
                thing = source.object(f"dir/obj {number}.txt")
                plain = thing.get_reader(etl=ETLConfig(name=etl.name)).read_all()
                assert plain == f"OBJECT {number}".encode(), (name, number, plain)
                with_arguments = thing.get_reader(etl=ETLConfig(name=etl.name, args="XY")).read_all()
                assert with_arguments == f"OBJECT {number}XY".encode(), (name, number, with_arguments)
            target = client.bucket(f"to-{name}").create()
            client.job(source.transform(etl_name=etl.name, to_bck=target)).wait(timeout=120)
            for number in range(20):
                found = target.object(f"dir/obj {number}.txt").get_reader().read_all()
                assert found == f"OBJECT {number}".encode(), (name, number, found)
            etl.stop()
            etl.delete()
            print(f"E1 {framework} {way}: 20 inline, 20 with arguments, 20 from bucket to bucket", flush=True)


def e5_two_targets(client, cluster):
    """With direct put, pods send what belongs to the other target there; the rest comes back in the answer."""

    class Telling(FastAPIServer):
        def handle_direct_put_response(self, resp, data, data_length=-1):
            status, content, length = super().handle_direct_put_response(resp, data, data_length)
            print(f"delivered {status} {length} of {len(data)}", flush=True)
            return status, content, length

    source = filled(client, "source5", 40, lambda number: f"object {number}".encode())
    etl = registered(client, "direct-put", Telling, "hpush://", direct_put=True)
    target = client.bucket("to-direct-put").create()
    client.job(source.transform(etl_name=etl.name, to_bck=target)).wait(timeout=120)
    for number in range(40):
        assert target.object(f"dir/obj {number}.txt").get_reader().read_all() == f"OBJECT {number}".encode()
    took = [pod.took for pod in cluster.pods.values()]
    assert len(took) == TARGETS, "a pod for each target"
    logs = ""
    for pod in cluster.pods.values():
        with open(pod.log, encoding="utf-8") as log:
            logs += log.read()
    delivered = re.findall(r"delivered (\d+) (\d+) of (\d+)", logs)
    assert all(status == "204" and length == size for status, length, size in delivered), delivered
    assert 0 < len(delivered) < 40, f"{len(delivered)} objects belong to the other target"
    etl.stop()
    etl.delete()
    print(f"E5 40 objects over {TARGETS} targets, {len(delivered)} delivered by pods, the rest in answers", flush=True)
    print(f"pods ready after {', '.join(f'{each:.2f} s' for each in took)}", flush=True)


def e12_direct_put_on_and_off(client, _cluster):
    """200 objects of 1 MiB: when all are there, and when the job ends."""
    count = 200
    body = os.urandom(1 << 20)
    source = filled(client, "source12", count, lambda _number: body)
    for direct_put in (True, False):
        name = "put-on" if direct_put else "put-off"
        etl = registered(client, f"direct-{name}", FastAPIServer, "hpush://", direct_put)
        target = client.bucket(f"to-{name}").create()
        begun = time.monotonic()
        job = source.transform(etl_name=etl.name, to_bck=target)
        while len(target.list_all_objects(props="name,size")) < count:
            time.sleep(0.05)
        there = time.monotonic() - begun
        client.job(job).wait(timeout=300)
        print(f"E12 direct put {direct_put}: all there after {there:.2f} s, job ended after {time.monotonic() - begun:.2f} s", flush=True)
        etl.stop()
        etl.delete()


def packages_from_a_bucket(client, cluster):
    """A delta that is baked into a bucket of the cluster serves pods of both targets, which have nothing else to install
    from. A wheel there that was changed is refused."""
    deltas = client.bucket("deltas").create()
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=os.environ["INDEX"])
    index = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=index.serve_forever, daemon=True).start()
    own = {
        **os.environ,
        "PYDIST_STORE": f"{cluster.folder}/baking",
        "UV_DEFAULT_INDEX": f"http://127.0.0.1:{index.server_address[1]}/simple/",
    }
    words = [*cluster.launcher, "bake", "--packages", "demo", "--to", f"ais://deltas/etl?endpoint={ENDPOINT}"]
    baked = subprocess.run([*words, "--python", sys.executable], env=own, check=True, stdout=subprocess.PIPE, text=True)
    variables = dict(line.split("=", 1) for line in baked.stdout.splitlines())
    index.shutdown()
    index.server_close()

    class Demonstrated(FastAPIServer):
        def transform(self, data, path, etl_args):
            import demo

            return demo.VALUE + data

    source = filled(client, "source-delta", 20, lambda number: f"object {number}".encode())
    # The second as a pod names a bucket of its own cluster.
    for number, address in enumerate([variables["ETL_DELTA"], "ais://deltas/etl"]):
        etl = client.etl(f"delta-{number}")
        pydist_etl.init_class(
            etl,
            image="ours",
            dependencies=[variables["PACKAGES"]],
            init_timeout="2m",
            NUM_WORKERS="2",
            AIS_ENDPOINT=ENDPOINT,
            ETL_DELTA=address,
            ETL_DELTA_SHA256=variables["ETL_DELTA_SHA256"],
            ETL_WORK=f"{cluster.folder}/work-{number}",
            PYDIST_STORE=f"{cluster.folder}/store-{number}",
        )(Demonstrated)
        for each in range(20):
            found = source.object(f"dir/obj {each}.txt").get_reader(etl=ETLConfig(name=etl.name)).read_all()
            assert found == b"demo " + f"object {each}".encode(), (each, found)
        logs = [pod.said() for pod in cluster.pods.values()]
        assert len(logs) == TARGETS and all("package demo: from the delta" in log for log in logs), logs
        took = ", ".join(f"{pod.took:.2f} s" for pod in cluster.pods.values())
        etl.stop()
        etl.delete()
        print(f"delta at {address.partition('?')[0]}: 20 objects, pods ready after {took}", flush=True)
    wheel = next(entry.name for entry in deltas.list_all_objects() if "/blobs/" in entry.name)
    deltas.object(wheel).get_writer().put_content(b"another")
    own = {"PYDIST_STORE": f"{cluster.folder}/store-2", "ETL_WORK": f"{cluster.folder}/work-2"}
    payload = {"ETL_CLASS_PAYLOAD": pydist_etl.payload_of(Demonstrated), "AIS_TARGET_URL": ENDPOINT}
    pod = subprocess.run(
        cluster.launcher,
        env={**os.environ, **cluster.variables, **variables, **own, **payload},
        capture_output=True,
        text=True,
        check=False,
    )
    assert pod.returncode == 4 and "E_ETL_DELTA_DAMAGED" in pod.stderr, pod
    print("delta with a changed file: refused", flush=True)


CHECKS = {
    "e1": e1_every_server_and_way,
    "e5": e5_two_targets,
    "e12": e12_direct_put_on_and_off,
    "delta": packages_from_a_bucket,
}


def main():
    aisnode, program, folder, *what = sys.argv[1:]
    os.makedirs(folder)
    prepare(folder)
    configure(folder)
    variables = {"ETL_PYTHON": sys.executable, "ETL_WORK": f"{folder}/work", "ETL_FQN_ROOTS": f"{folder}/store"}
    kubernetes = pods.Kubernetes(ADDRESS, API_PORT, folder, [program], variables)
    nodes = start_nodes(aisnode, folder)
    try:
        await_cluster(folder)
        if what[0] in CHECKS:
            for name in what:
                CHECKS[name](Client(ENDPOINT, timeout=60), kubernetes)
        else:
            sys.exit(subprocess.run(what, env={**os.environ, "AIS_ENDPOINT": ENDPOINT}, check=False).returncode)
    finally:
        kubernetes.end()
        for node in reversed(nodes):
            node.send_signal(signal.SIGTERM)
        for node in nodes:
            try:
                node.wait(10)
            except subprocess.TimeoutExpired:
                node.kill()


if __name__ == "__main__":
    main()
