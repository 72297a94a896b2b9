"""As much of Kubernetes as an AIStore target asks for: pods and services, each pod a process on this machine.

A target finds it through KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT. It must be run where no address but one is
its own, since a target takes no loopback address for a node's.
"""

import http.server
import json
import os
import signal
import ssl
import subprocess
import threading
import time
import urllib.parse
import urllib.request


def fields(message):
    """The numbered fields of a protobuf message: integers and bytes."""
    at = 0

    def integer():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7

    while at < len(message):
        key = integer()
        if key & 7 == 0:
            yield key >> 3, integer()
            continue
        size = {1: 8, 5: 4}.get(key & 7) or integer()
        yield key >> 3, message[at : at + size]
        at += size


def within(message, *path):
    """The first field at a path of field numbers."""
    for number in path:
        message = next((value for found, value in fields(message) if found == number), b"")
    return message


class Asked:
    """What a pod or service is asked to be, from either encoding that clients of Kubernetes use."""

    def __init__(self, body):
        self.image, self.command, self.variables = "", [], {}
        if body.startswith(b"k8s\0"):
            made = within(body[4:], 2)
            self.name = within(made, 1, 1).decode()
            container = within(made, 2, 2)
            if isinstance(container, bytes):
                self._read(container)
        else:
            made = json.loads(body)
            self.name = made["metadata"]["name"]
            container = made.get("spec", {}).get("containers", [{}])[0]
            self.image = container.get("image", "")
            self.command = container.get("command", [])
            self.variables = {item["name"]: item.get("value", "") for item in container.get("env", [])}

    def _read(self, container):
        for number, value in fields(container):
            if number == 2:
                self.image = value.decode()
            elif number == 3:
                self.command.append(value.decode())
            elif number == 7:
                self.variables[within(value, 1).decode()] = within(value, 2).decode()


class Pod:
    """A process with the environment of a pod."""

    def __init__(self, asked, port, cluster):
        self.asked, self.port, self.ready, self.revision, self.took = asked, port, False, 1, None
        self.log = os.path.join(cluster.folder, f"pod-{asked.name}.log")
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        variables = {**kept, **cluster.variables, **asked.variables, "ETL_PORT": str(port)}
        self.begun = time.monotonic()
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                cluster.launcher, env=variables, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        self.address = cluster.address

    def described(self):
        code = self.process.poll()
        state = {"running": {}} if code is None else {"terminated": {"exitCode": code, "reason": "Error", "message": self.said()}}
        status = {"name": self.asked.name, "ready": self.ready, "restartCount": 0, "image": self.asked.image, "imageID": "", "state": state}
        return {
            "kind": "Pod",
            "apiVersion": "v1",
            "metadata": {"name": self.asked.name, "namespace": "ais", "resourceVersion": str(self.revision)},
            "spec": {"containers": [{"name": self.asked.name, "image": self.asked.image}]},
            "status": {
                "phase": "Running" if code is None else "Failed",
                "hostIP": self.address,
                "podIP": self.address,
                "conditions": [{"type": "Ready", "status": "True" if self.ready and code is None else "False"}],
                "containerStatuses": [status],
            },
        }

    def said(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()[-800:]

    def is_answering(self):
        try:
            with urllib.request.urlopen(f"http://{self.address}:{self.port}/health", timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False

    def end(self):
        try:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(20)
        except (OSError, subprocess.TimeoutExpired):
            pass


class Kubernetes:
    """Serves the API at `address` and `port`; the TLS files `tls.crt` and `tls.key` are in `folder`."""

    def __init__(self, address, port, folder, launcher, variables):
        self.address, self.folder, self.launcher, self.variables = address, folder, launcher, variables
        self.pods, self.services, self.watchers, self.next_port = {}, {}, [], 30800
        self.lock = threading.RLock()
        api = type("Api", (_Api,), {"cluster": self})
        self.server = http.server.ThreadingHTTPServer((address, port), api)
        self.server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.path.join(folder, "tls.crt"), os.path.join(folder, "tls.key"))
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def end(self):
        for pod in list(self.pods.values()):
            pod.end()

    def tell(self, kind, pod):
        event = {"type": kind, "object": pod.described()}
        for name, events in list(self.watchers):
            if name == pod.asked.name:
                events.append(event)

    def start_pod(self, asked):
        with self.lock:
            port = self.services[asked.name]["spec"]["ports"][0]["nodePort"]
            pod = self.pods[asked.name] = Pod(asked, port, self)
        threading.Thread(target=self.attend, args=(pod,), daemon=True).start()
        self.tell("ADDED", pod)
        return pod.described()

    def start_service(self, asked):
        with self.lock:
            self.next_port += 1
            service = {
                "kind": "Service",
                "apiVersion": "v1",
                "metadata": {"name": asked.name, "namespace": "ais"},
                "spec": {"type": "NodePort", "ports": [{"port": 8000, "nodePort": self.next_port}]},
            }
            self.services[asked.name] = service
            return service

    def attend(self, pod):
        """A kubelet's work: whether the pod is ready, and its end."""
        while self.pods.get(pod.asked.name) is pod:
            ended = pod.process.poll() is not None
            if ended or (not pod.ready and pod.is_answering()):
                pod.ready = not ended
                pod.took = time.monotonic() - pod.begun
                pod.revision += 1
                self.tell("MODIFIED", pod)
                if ended:
                    return
            time.sleep(0.05)


class _Api(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    cluster = None

    def log_message(self, *_arguments):
        pass

    def answer(self, status, content, kind="application/json"):
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def answer_missing(self):
        reason = {"status": "Failure", "reason": "NotFound", "code": 404, "message": f"{self.path} not found"}
        self.answer(404, {"kind": "Status", "apiVersion": "v1", **reason})

    def asked_for(self):
        """Kind, name if any, what of it if any, query; of /api/v1/namespaces/NAMESPACE/KIND/NAME/PART."""
        url = urllib.parse.urlsplit(self.path)
        parts = url.path.strip("/").split("/")[4:] + ["", "", ""]
        return parts[0], parts[1], parts[2], urllib.parse.parse_qs(url.query)

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def do_GET(self):  # pylint: disable=invalid-name
        kind, name, part, query = self.asked_for()
        chosen = query.get("fieldSelector", [""])[0].partition("metadata.name=")[2]
        if kind == "services":
            self.list_or_show(name, chosen, "ServiceList", self.cluster.services, lambda service: service)
        elif kind != "pods":
            self.answer_missing()
        elif "watch" in query and not name:
            self.watch(chosen)
        elif name.startswith("ais-target"):
            self.answer(200, self.target(name))
        elif part == "log" and name in self.cluster.pods:
            self.answer(200, self.cluster.pods[name].said().encode(), "text/plain")
        else:
            self.list_or_show(name, chosen, "PodList", self.cluster.pods, Pod.described)

    def list_or_show(self, name, chosen, kind, things, described):
        if name:
            found = things.get(name)
            return self.answer(200, described(found)) if found else self.answer_missing()
        items = [described(thing) for key, thing in list(things.items()) if chosen in ("", key)]
        return self.answer(200, {"kind": kind, "apiVersion": "v1", "metadata": {}, "items": items})

    def target(self, name):
        container = {"name": "ais", "image": "ais", "volumeMounts": [{"name": "data", "mountPath": "/data"}]}
        return {
            "kind": "Pod",
            "apiVersion": "v1",
            "metadata": {"name": name, "namespace": "ais"},
            "spec": {"containers": [container], "volumes": [{"name": "data", "emptyDir": {}}]},
            "status": {"phase": "Running", "hostIP": self.cluster.address},
        }

    def watch(self, name):
        events = []
        self.cluster.watchers.append((name, events))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            while True:
                while events:
                    line = json.dumps(events.pop(0)).encode() + b"\n"
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
                    self.wfile.flush()
                time.sleep(0.02)
        except OSError:
            pass

    def do_POST(self):  # pylint: disable=invalid-name
        kind = self.asked_for()[0]
        asked = Asked(self.body())
        made = self.cluster.start_service(asked) if kind == "services" else self.cluster.start_pod(asked)
        self.answer(201, made)

    def do_DELETE(self):  # pylint: disable=invalid-name
        kind, name, _, _ = self.asked_for()
        self.body()
        if kind == "services":
            gone = self.cluster.services.pop(name, None)
        else:
            gone = self.cluster.pods.pop(name, None)
            if gone:
                gone.end()
        if gone:
            self.answer(200, {"kind": "Status", "apiVersion": "v1", "status": "Success"})
        else:
            self.answer_missing()
