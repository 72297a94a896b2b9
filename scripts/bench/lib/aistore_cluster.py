"""AIStore on this machine: one proxy and one target on the loopback interface, in a fresh folder."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

from workshop import remove

# Seconds.
PATIENCE = 100
HOST = "127.0.0.1"
# S3 without redirects, which boto3 does not follow.
FEATURES = "8192"


class Cluster:
    """Runs between `with` and its end. The folder must not be that of an earlier run: a target would not join."""

    def __init__(self, program, folder):
        self.program, self.folder = program, folder
        # Written to standard error.
        said = subprocess.run([program, "version"], capture_output=True, text=True, check=True)
        self.version = "aisnode " + (said.stdout + said.stderr).split("(")[0].strip(" .")
        self.processes = []

    def __enter__(self):
        remove(self.folder)
        (self.folder / "store").mkdir(parents=True)
        self.check_attributes()
        sockets = [socket.create_server((HOST, 0)) for _ in range(6)]
        ports = [str(each.getsockname()[1]) for each in sockets]
        for each in sockets:
            each.close()
        self.endpoint = f"http://{HOST}:{ports[0]}"
        self.write("ais", configuration(self.endpoint))
        self.write("proxy", self.node("proxy", ports[:3]))
        self.write("target", self.node("target", ports[3:]))
        try:
            self.start("proxy", "-ntargets=1")
            time.sleep(2)
            self.start("target", "-standby=false")
            self.wait_until_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        # The target first, as AIStore wants it.
        for process in reversed(self.processes):
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        remove(self.folder)

    def write(self, name, content):
        (self.folder / f"{name}.json").write_text(json.dumps(content))

    def check_attributes(self):
        try:
            os.setxattr(self.folder / "store", "user.probe", b"1")
        except (OSError, AttributeError) as error:
            sys.exit(f"AIStore needs a disk with user extended attributes, and {self.folder} has none: {error}")

    def node(self, name, ports):
        for what in ("conf", "log"):
            (self.folder / name / what).mkdir(parents=True)
        names = {f"hostname{kind}": HOST for kind in ("", "_intra_control", "_intra_data")}
        numbers = dict(zip(["port", "port_intra_control", "port_intra_data"], ports))
        return {
            "confdir": str(self.folder / name / "conf"),
            "log_dir": str(self.folder / name / "log"),
            "host_net": names | numbers,
            "fspaths": {},
            "test_fspaths": {"root": str(self.folder / "store"), "count": 1, "instance": 0},
        }

    def start(self, role, option):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AIS_")}
        words = [self.program, f"-role={role}", f"-config={self.folder / 'ais.json'}"]
        words += [f"-local_config={self.folder / role}.json", option]
        with (self.folder / f"{role}.out").open("wb") as output:
            process = subprocess.Popen(
                [str(word) for word in words],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.processes.append(process)

    def wait_until_ready(self):
        """The primary is up, there is a target, and a bucket can be made."""
        until = time.monotonic() + PATIENCE
        while True:
            try:
                self.ask("GET", "/v1/health?prr=true")
                if json.loads(self.ask("GET", "/v1/daemon?what=smap"))["tmap"]:
                    self.new_bucket("ready")
                    return
            except (OSError, ValueError, KeyError):
                pass
            gone = [process for process in self.processes if process.poll() is not None]
            if gone or time.monotonic() > until:
                said = "".join((self.folder / f"{role}.out").read_text()[-2000:] for role in ("proxy", "target"))
                sys.exit(f"the cluster is not ready:\n{said}")
            time.sleep(0.25)

    def ask(self, method, path, action=None):
        request = urllib.request.Request(f"{self.endpoint}{path}", method=method)
        if action:
            request.add_header("Content-Type", "application/json")
            request.data = json.dumps({"action": action}).encode()
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=30) as answer:
            return answer.read()

    def new_bucket(self, name):
        """Empty, whatever there was."""
        try:
            self.ask("DELETE", f"/v1/buckets/{name}?provider=ais", "destroy-bck")
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise
        self.ask("POST", f"/v1/buckets/{name}?provider=ais", "create-bck")


def configuration(endpoint):
    return {
        "backend": {},
        "proxy": {"primary_url": endpoint, "original_url": endpoint, "discovery_url": "", "non_electable": False},
        "timeout": {
            "cplane_operation": "2s",
            "max_keepalive": "5s",
            "cold_get_conflict": "5s",
            "max_host_busy": "20s",
            "startup_time": "30s",
            "join_startup_time": "2m",
            "send_file_time": "5m",
            "ec_streams_time": "10m",
            "object_md": "2h",
        },
        # Higher than by default: the disk may be nearly full.
        "space": {"cleanupwm": 97, "lowwm": 98, "highwm": 99, "out_of_space": 100},
        "memsys": {
            "min_free": "128mb",
            "default_buf": "32kb",
            "to_gc": "1gb",
            "hk_time": "3m",
            "min_pct_total": 0,
            "min_pct_free": 0,
        },
        "versioning": {"enabled": True, "validate_warm_get": False},
        "resilver": {"enabled": True},
        "net": {
            "l4": {"proto": "tcp", "sndrcv_buf_size": 131072},
            "http": {
                "use_https": False,
                "idle_conn_time": "6s",
                "idle_conns_per_host": 32,
                "idle_conns": 256,
                "chunked_transfer": True,
            },
            "use_ipv6": False,
        },
        "auth": {},
        "features": FEATURES,
    }
