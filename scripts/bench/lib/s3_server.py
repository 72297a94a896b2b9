"""versitygw on this machine: an S3 server that keeps objects as files, over TLS, and what it took and sent."""

import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

from publish_workshop import go_install
from workshop import ROOT, remove, run

KEY, SECRET, REGION = "bench-access-key", "bench-secret-key", "eu-north-1"
# Seconds.
PATIENCE = 20


def wanted_version():
    """The one that the tests use."""
    script = (ROOT / "scripts" / "test").read_text()
    return re.search(r"^versitygw_version=(\S+)$", script, re.MULTILINE).group(1)


class S3Server:
    """Runs between `with` and its end; a bucket is a folder in `data`."""

    def __init__(self, folder):
        self.version = f"versitygw {wanted_version()}"
        what = f"github.com/versity/versitygw/cmd/versitygw@{wanted_version()}"
        self.program = go_install(what, ROOT / "target" / "tools" / "versitygw")
        self.folder = folder / "server"
        self.data = self.folder / "data"

    def __enter__(self):
        remove(self.folder)
        self.data.mkdir(parents=True)
        (self.folder / "accounts").mkdir()
        certificate, key = self.certificate()
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.address = f"127.0.0.1:{probe.getsockname()[1]}"
        self.endpoint = f"https://{self.address}"
        words = [self.program, "--access", KEY, "--secret", SECRET, "--region", REGION, "--port", self.address]
        words += ["--iam-dir", self.folder / "accounts", "--cert", certificate, "--key", key, "--quiet"]
        words += ["posix", self.data]
        self.log = (self.folder / "log").open("wb")
        self.process = subprocess.Popen(
            [str(word) for word in words], stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT
        )
        self.wait_until_it_listens()
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.log.close()

    def wait_until_it_listens(self):
        host, port = self.address.split(":")
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and self.process.poll() is None:
            try:
                socket.create_connection((host, int(port)), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        self.__exit__()
        sys.exit(f"versitygw does not listen:\n{(self.folder / 'log').read_text()[-2000:]}")

    def certificate(self):
        """An authority of one hour's use and, signed by it, this machine's certificate."""
        folder = self.folder
        self.authority = folder / "authority.pem"
        request = ["openssl", "req", "-newkey", "rsa:2048", "-nodes"]
        authority = ["-x509", "-days", "2", "-subj", "/CN=bench", "-keyout", folder / "authority.key"]
        run([*request, *authority, "-out", self.authority])
        run([*request, "-subj", "/CN=127.0.0.1", "-keyout", folder / "server.key", "-out", folder / "server.csr"])
        (folder / "names").write_text("subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
        sign = ["openssl", "x509", "-req", "-days", "2", "-in", folder / "server.csr", "-CA", self.authority]
        sign += ["-CAkey", folder / "authority.key", "-CAcreateserial", "-extfile", folder / "names"]
        run([*sign, "-out", folder / "server.pem"])
        return folder / "server.pem", folder / "server.key"

    def variables(self):
        """For clients that speak to it as the AWS tools do."""
        return os.environ | {
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL_S3": self.endpoint,
            "AWS_CA_BUNDLE": str(self.authority),
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def new_bucket(self, name):
        remove(self.data / name)
        (self.data / name).mkdir()

    def objects(self, bucket):
        """Those that can be seen, with their sizes."""
        files = [path for path in (self.data / bucket).rglob("*") if path.is_file()]
        return {path: path.stat().st_size for path in files if not path.relative_to(self.data).parts[1].startswith(".")}

    def processor_seconds(self):
        """So far; 0 where the system does not tell."""
        try:
            words = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def loopback_bytes():
    """Everything that this machine sent to itself so far, both directions and headers included; `None` where the system
    does not tell."""
    counter = Path("/sys/class/net/lo/statistics/tx_bytes")
    return int(counter.read_text()) if counter.exists() else None
