"""Compiles what programs of the tests import from the interpreter that runs this, and enters it into the table of its files.

usage: python -I -B byte_code.py TREE TABLE
"""
import argparse, base64, configparser, csv, email.parser, hashlib, importlib.metadata, json, logging, os, pathlib, platform
import py_compile, queue, shlex, shutil, struct, subprocess, sys, sysconfig, tempfile, threading, tomllib, traceback, zipfile

tree, table = sys.argv[1:]
sysconfig.get_config_vars()
with open(table) as file:
    content = json.load(file)
rows = content["files"]
known = {row["path"] for row in rows}
# As all files of a base have it.
time = os.stat(os.__file__).st_mtime_ns
for module in list(sys.modules.values()):
    path = os.path.relpath(getattr(module, "__file__", None) or "/", tree)
    if path not in known or not path.endswith(".py"):
        continue
    # Neither the time nor a path of this machine is in it.
    unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
    made = py_compile.compile(os.path.join(tree, path), dfile=path, doraise=True, invalidation_mode=unchecked)
    os.chmod(made, 0o444)
    os.utime(made, ns=(time, time))
    with open(made, "rb") as file:
        data = file.read()
    made = os.path.relpath(made, tree)
    # `os.path` is `posixpath`, too.
    if made not in known:
        known.add(made)
        rows.append({"path": made, "sha256": hashlib.sha256(data).hexdigest(), "size": len(data)})
rows.sort(key=lambda row: row["path"])
with open(table + ".new", "w") as file:
    json.dump(content, file)
os.replace(table + ".new", table)
