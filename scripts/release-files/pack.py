"""Packs a folder: the same bytes from the same files, whoever packs them and when.

    pack.py FOLDER OUT.tar.gz|OUT.zip SECONDS

The folder's own name comes first in every path. SECONDS since 1970 is the time of everything inside.
"""

import gzip
import os
import sys
import tarfile
import time
import zipfile
from pathlib import Path


def members(folder):
    """Files below the folder in the order of their names, each with its path in the archive and whether it runs."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            name = path.relative_to(folder.parent).as_posix()
            yield name, path, path.suffix == ".exe" or path.parent.name == "bin"


def pack_tar(folder, out, seconds):
    with gzip.GzipFile(filename="", mode="wb", fileobj=out, compresslevel=9, mtime=0) as stream:
        with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for name, path, runs in members(folder):
                member = tarfile.TarInfo(name)
                member.size = path.stat().st_size
                member.mode = 0o755 if runs else 0o644
                member.mtime = seconds
                with path.open("rb") as file:
                    tar.addfile(member, file)


def pack_zip(folder, out, seconds):
    moment = time.gmtime(seconds)[:6]
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, path, runs in members(folder):
            member = zipfile.ZipInfo(name, moment)
            member.create_system = 3
            member.external_attr = (0o100755 if runs else 0o100644) << 16
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, path.read_bytes())


def main():
    folder, target, seconds = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    pack = pack_zip if target.suffix == ".zip" else pack_tar
    unfinished = target.with_name(target.name + ".new")
    with unfinished.open("wb") as out:
        pack(folder, out, seconds)
    os.replace(unfinished, target)


main()
