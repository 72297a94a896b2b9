"""Starts the entry point of an image as a container engine would, in a root that holds the image and nothing else, and asks it.

    unshare --map-root-user --mount --net --pid --fork --kill-child python3 pod.py <plan.json

It is root of its own namespaces only; their network is the loopback interface. The plan: `root`, a folder with the unpacked
image; `volumes`, paths in the pod by folder; `command`; `environment`; `requests`, each a method, a target and a body.
Prints the answers, how the server ended on SIGTERM and what it printed.
"""

import fcntl
import http.client
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import time

# For a machine that does much else.
PATIENCE = 600
SIOCSIFFLAGS, IFF_UP = 0x8914, 1


def bring_loopback_up():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP))


def mount(*words):
    subprocess.run(["mount", *words], check=True, stdin=subprocess.DEVNULL)


def lay_out(root, volumes):
    """What every engine mounts: /proc, a few devices, volumes."""
    for name in ("proc", "dev"):
        os.makedirs(f"{root}/{name}", exist_ok=True)
    if subprocess.run(["mount", "-t", "proc", "proc", f"{root}/proc"], stderr=subprocess.DEVNULL).returncode:
        # In a container, parts of /proc may be covered, and then it cannot be mounted anew.
        mount("--rbind", "/proc", f"{root}/proc")
    for name in ("null", "zero", "random", "urandom"):
        open(f"{root}/dev/{name}", "a").close()
        mount("--bind", f"/dev/{name}", f"{root}/dev/{name}")
    for folder, place in volumes.items():
        os.makedirs(root + place, exist_ok=True)
        mount("--bind", folder, root + place)


def enter(root):
    os.chroot(root)
    os.chdir("/")


def ask(method, target, body):
    connection = http.client.HTTPConnection("127.0.0.1", 8000, timeout=PATIENCE)
    connection.request(method, target, body)
    answer = connection.getresponse()
    return {"status": answer.status, "body": answer.read().decode("latin-1")}


def is_healthy():
    try:
        return ask("GET", "/health", b"")["status"] == 200
    except OSError:
        return False


def main():
    plan = json.load(sys.stdin)
    bring_loopback_up()
    lay_out(plan["root"], plan["volumes"])
    with tempfile.TemporaryFile() as log:
        started = time.monotonic()
        # The program is looked for and started inside.
        inside = {"env": plan["environment"], "preexec_fn": lambda: enter(plan["root"])}
        server = subprocess.Popen(plan["command"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, **inside)
        while not is_healthy() and server.poll() is None and time.monotonic() < started + PATIENCE:
            time.sleep(0.01)
        answers = [] if server.poll() is not None else [ask(*request) for request in plan["requests"]]
        seconds = time.monotonic() - started
        server.terminate()
        ended = server.wait(PATIENCE)
        log.seek(0)
        text = log.read().decode(errors="replace")
    print(json.dumps({"answers": answers, "seconds": seconds, "ended": ended, "log": text}))


main()
