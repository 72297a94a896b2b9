"""ETL servers on this machine, as AIStore's own runtime starts them and as `etl-runtime` does, and requests to them."""

import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

BASES = {
    "FastAPI": ("fastapi_server", "FastAPIServer"),
    "Flask": ("flask_server", "FlaskServer"),
    "threaded": ("http_multi_threaded_server", "HTTPMultiThreadedServer"),
}
PICKLE = """
import sys
from aistore.sdk.etl.webserver.{module} import {name} as Base
class Upper(Base):
    def transform(self, data, path, etl_args):
        return data.upper()
from aistore.sdk.etl import serialize_class
print(serialize_class(Upper), end="")
"""
# What AIStore's two scripts do: load the class, make the server, become the program that serves. `server:app` stands
# for their `server:server.app`, which today's gunicorn refuses, and the port is a variable.
BOOTSTRAP = """
import base64
import os
import cloudpickle
from aistore.sdk.etl.webserver.base_etl_server import ETLServer
from aistore.sdk.etl.webserver.fastapi_server import FastAPIServer
from aistore.sdk.etl.webserver.flask_server import FlaskServer
from aistore.sdk.etl.webserver.http_multi_threaded_server import HTTPMultiThreadedServer

port, workers = os.environ["ETL_PORT"], os.environ["NUM_WORKERS"]
server = cloudpickle.loads(base64.b64decode(os.environ["ETL_CLASS_PAYLOAD"]))()
if isinstance(server, HTTPMultiThreadedServer):
    server.port = int(port)
    server.start()
elif isinstance(server, FastAPIServer):
    words = (
        f"uvicorn server:app --host 0.0.0.0 --port {port} --workers {workers} --log-level info "
        "--ws-max-size 17179869184 --ws-ping-interval 0 --ws-ping-timeout 86400 --no-access-log"
    ).split()
    os.execvp(words[0], words)
else:
    words = f"gunicorn server:app --bind 0.0.0.0:{port} --workers {workers} --log-level debug".split()
    os.execvp(words[0], words)
"""
SERVER = """
import base64
import os
import cloudpickle

app = cloudpickle.loads(base64.b64decode(os.environ["ETL_CLASS_PAYLOAD"]))().app
"""
TICKS = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def pickled(python, framework):
    module, name = BASES[framework]
    script = PICKLE.format(module=module, name=name)
    return subprocess.run([python, "-c", script], check=True, capture_output=True, text=True).stdout


def descendants(pid):
    found = [pid]
    for each in found:
        try:
            found += [int(word) for word in Path(f"/proc/{each}/task/{each}/children").read_text().split()]
        except OSError:
            pass
    return found


class Server:
    """One that serves until `end`. `side` is `original` or `ours`."""

    def __init__(self, side, framework, python, program, folder, workers=2):
        self.side, self.framework, self.port = side, framework, free_port()
        own = folder / f"{side}-{framework}"
        own.mkdir(parents=True, exist_ok=True)
        (own / "bootstrap.py").write_text(BOOTSTRAP)
        (own / "server.py").write_text(SERVER)
        variables = {
            **{name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ},
            "PATH": f"{Path(python).parent}:{os.environ['PATH']}",
            "PYTHONUNBUFFERED": "1",
            "ETL_PYTHON": str(python),
            "ETL_WORK": str(own / "work"),
            "ETL_FQN_ROOTS": str(folder / "objects"),
            "ETL_CLASS_PAYLOAD": pickled(python, framework),
            "ETL_PORT": str(self.port),
            "NUM_WORKERS": str(workers),
            "AIS_TARGET_URL": "http://127.0.0.1:1/v1/etl/_object/bench-etl/secret",
        }
        words = [program] if side == "ours" else [python, "bootstrap.py"]
        self.log = own / "log"
        with self.log.open("wb") as log:
            self.begun = time.monotonic()
            self.process = subprocess.Popen(
                words, cwd=own, env=variables, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        self.await_health()

    def await_health(self):
        while self.process.poll() is None and time.monotonic() - self.begun < 120:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=5) as answer:
                    if answer.status == 200:
                        return
            except OSError:
                time.sleep(0.01)
        self.end()
        sys.exit(f"{self.side} {self.framework} does not serve:\n{self.log.read_text()[-2000:]}")

    def processor_seconds(self):
        """User and system time of all its processes and of those that they waited for."""
        ticks = 0
        for pid in descendants(self.process.pid):
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            ticks += sum(map(int, fields[11:15]))
        return ticks / TICKS

    def memory(self):
        """MB of all its processes, what they share counted once."""
        total = 0
        for pid in descendants(self.process.pid):
            try:
                lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            except OSError:
                continue
            total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
        return total / 1e6

    def end(self):
        for group, patience in ((signal.SIGTERM, 10), (signal.SIGKILL, 5)):
            for pid in reversed(descendants(self.process.pid)) if group == signal.SIGKILL else [self.process.pid]:
                try:
                    os.kill(pid, group)
                except ProcessLookupError:
                    pass
            try:
                self.process.wait(patience)
                return
            except subprocess.TimeoutExpired:
                pass


class Request:
    """As a target of v1.5.0 sends one: the path of the object's file, encoded twice, or its bytes."""

    def __init__(self, way, path, expected):
        target, body = "/bench/object", b""
        if way == "path":
            target += "?etl_fqn=" + urllib.parse.quote(urllib.parse.quote(str(path), safe=""), safe="")
        else:
            body = path.read_bytes()
        head = f"PUT {target} HTTP/1.1\r\nHost: pod\r\nUser-Agent: Go-http-client/1.1\r\nContent-Length: {len(body)}\r\n\r\n"
        self.head, self.body, self.expected = head.encode(), body, expected


def ask(port, request, count, failures):
    """`count` requests one after another, on one connection as long as the server keeps it."""
    connection, buffer = None, bytearray(1 << 21)
    view = memoryview(buffer)
    for _ in range(count):
        for _attempt in range(2):
            fresh = connection is None
            if fresh:
                connection = socket.create_connection(("127.0.0.1", port), timeout=60)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                connection.sendall(request.head + request.body if len(request.body) < 65536 else request.head)
                if len(request.body) >= 65536:
                    connection.sendall(request.body)
                got, end, length, keep = 0, -1, None, True
                while end < 0 or length is None or got < end + length:
                    more = connection.recv_into(view[got:])
                    if more == 0:
                        keep = False
                        break
                    got += more
                    if end < 0:
                        end = buffer.find(b"\r\n\r\n", 0, got)
                        if end >= 0:
                            end += 4
                            head = bytes(view[:end]).lower()
                            found = head.find(b"content-length:")
                            if found >= 0:
                                length = int(head[found + 15 : head.index(b"\r\n", found)])
                            keep = head.startswith(b"http/1.1") and b"connection: close" not in head
                            ok = head.split(b" ", 2)[1] == b"200"
            except OSError:
                got = 0
            if got or fresh:
                break
            # The server had ended the connection while nothing was sent.
            connection.close()
            connection = None
        if not got or not ok or view[end:got] != request.expected:
            failures.value += 1
        if not keep:
            connection.close()
            connection = None


def load(server, request, count, clients):
    """Wall seconds and processor seconds of the server for `count` requests of some clients at once."""
    failures = multiprocessing.Value("i", 0)
    before = server.processor_seconds()
    crowd = [
        multiprocessing.Process(target=ask, args=(server.port, request, count // clients, failures))
        for _ in range(clients)
    ]
    begun = time.monotonic()
    for client in crowd:
        client.start()
    for client in crowd:
        client.join()
    seconds = time.monotonic() - begun
    if failures.value:
        sys.exit(f"{server.side} {server.framework}: {failures.value} of {count} requests failed")
    return seconds, server.processor_seconds() - before
