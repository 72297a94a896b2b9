"""A PEP 517 backend for tests. Standard library only; `fixture.json` beside it says what to do."""

import base64
import hashlib
import json
import os
import pathlib
import shlex
import subprocess
import sys
import sysconfig
import time
import zipfile

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent
FIXTURE = json.loads((HERE / "fixture.json").read_text(encoding="utf-8"))
PACKAGE, VERSION = FIXTURE["package"], FIXTURE["version"]


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    stumble(FIXTURE["stumble"])
    tag = "py3-none-any"
    files = {}
    for path in sorted((ROOT / PACKAGE).rglob("*")):
        if path.is_file() and path.suffix not in (".c", ".pyc"):
            files[path.relative_to(ROOT).as_posix()] = path.read_bytes()
    files[f"{PACKAGE}/build.json"] = json.dumps(report(config_settings), sort_keys=True).encode()
    if FIXTURE["native"]:
        tag, module = compile_native()
        files[f"{PACKAGE}/{module.name}"] = module.read_bytes()
    return write_wheel(pathlib.Path(wheel_directory), tag, files)


def build_sdist(sdist_directory, config_settings=None):
    raise SystemExit("this fixture is built to wheels only")


def report(config_settings):
    from importlib import metadata

    return {
        "settings": config_settings or {},
        "distributions": sorted({distribution.metadata["Name"] for distribution in metadata.distributions()}),
        "source_date_epoch": os.environ.get("SOURCE_DATE_EPOCH"),
    }


def stumble(kind):
    if kind and "fail" in kind:
        for number in range(300):
            print("line", number, file=sys.stderr)
        sys.exit(kind["fail"])
    if kind and "hang" in kind:
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
        with open(kind["hang"], "w", encoding="utf-8") as pids:
            pids.write(f"{os.getpid()}\n{child.pid}\n")
        time.sleep(1000)


def compile_native():
    output = ROOT / ("_native" + sysconfig.get_config_var("EXT_SUFFIX"))
    command = ["cc", "-shared", "-fPIC", "-g", *shlex.split(os.environ.get("CFLAGS", ""))]
    command += ["-I", sysconfig.get_path("include"), "-o", str(output), str(ROOT / PACKAGE / "_native.c")]
    subprocess.run(command, check=True)
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    return f"{python}-{python}-{platform}", output


def write_wheel(folder, tag, files):
    info = f"{PACKAGE}-{VERSION}.dist-info"
    pure = str(not FIXTURE["native"]).lower()
    files[f"{info}/METADATA"] = FIXTURE["metadata"].encode()
    files[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: fixture\nRoot-Is-Purelib: {pure}\nTag: {tag}\n".encode()
    rows = [f"{path},sha256={digest(content)},{len(content)}" for path, content in files.items()]
    files[f"{info}/RECORD"] = ("\n".join([*rows, f"{info}/RECORD,,"]) + "\n").encode()
    name = f"{PACKAGE}-{VERSION}-{tag}.whl"
    with zipfile.ZipFile(folder / name, "w") as archive:
        for path, content in files.items():
            archive.writestr(zipfile.ZipInfo(path), content)
    return name


def digest(content):
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
