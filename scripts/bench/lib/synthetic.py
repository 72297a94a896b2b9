"""Packages that hold nothing of use: small pure wheels, and a folder index (PEP 503) of them."""

import base64
import hashlib
import zipfile

from workshop import remove

METADATA = "Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nSummary: Nothing of use\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: synthetic\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def write_index(folder, count, modules):
    """Name → (SHA-256, path) of `count` wheels below `folder`/files; `folder`/simple is what an installer asks."""
    remove(folder)
    (folder / "files").mkdir(parents=True)
    wheels, links = {}, []
    for number in range(count):
        name = f"synthetic-{number:04}"
        path = folder / "files" / f"{name.replace('-', '_')}-1.0-py3-none-any.whl"
        write_wheel(path, name, modules)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        wheels[name] = (digest, path)
        page = folder / "simple" / name / "index.html"
        page.parent.mkdir(parents=True)
        page.write_text(f'<!DOCTYPE html>\n<a href="../../files/{path.name}#sha256={digest}">{path.name}</a>\n')
        links.append(f'<a href="{name}/">{name}</a>\n')
    (folder / "simple").mkdir(exist_ok=True)
    (folder / "simple" / "index.html").write_text("<!DOCTYPE html>\n" + "".join(links))
    return wheels


def write_wheel(path, name, modules):
    package, info = name.replace("-", "_"), f"{name.replace('-', '_')}-1.0.dist-info"
    files = {f"{package}/__init__.py": f'"""Package {name}."""\n'}
    for number in range(1, modules):
        # Different text in each, so that no two files are one.
        words = [hashlib.sha256(f"{name} {number} {line}".encode()).hexdigest() for line in range(40)]
        lines = [f"VALUE_{line} = '{word}'\n" for line, word in enumerate(words)]
        files[f"{package}/module_{number}.py"] = "".join(lines)
    files[f"{info}/METADATA"] = METADATA.format(name=name)
    files[f"{info}/WHEEL"] = WHEEL
    record = [f"{file},sha256={record_digest(text)},{len(text.encode())}\n" for file, text in files.items()]
    files[f"{info}/RECORD"] = "".join(record) + f"{info}/RECORD,,\n"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for file, text in files.items():
            entry = zipfile.ZipInfo(file, (1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o100644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            wheel.writestr(entry, text)


def record_digest(text):
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
