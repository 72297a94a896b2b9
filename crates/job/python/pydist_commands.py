"""Replaces Python's ways to start programs: each call is recorded, and only what the mode allows is really run.

Modes: `record` runs nothing and reports success; `translate` runs what is neither a package manager of the system nor an
installer of Python's, and notes how that ended; `deny` fails instead.
"""

import io
import os
import subprocess
import sys
import tempfile

PACKAGE_MANAGERS = {"apt", "apt-get", "aptitude", "dpkg", "yum", "dnf", "microdnf", "apk", "brew", "conda", "mamba", "zypper"}
SHELLS = {"sh", "bash", "dash", "zsh"}

calls = []
mode = "record"
current_class = [None]
real_popen = subprocess.Popen


def text_of(value):
    return os.fsdecode(value) if isinstance(value, (bytes, os.PathLike)) else str(value)


def is_installer(words):
    """Whether the words install packages, of the system or of Python."""
    words = list(words)
    while words and (words[0] in ("sudo", "env") or ("=" in words[0] and not words[0].startswith("-"))):
        words.pop(0)
    if not words:
        return False
    name = os.path.basename(words[0])
    if name in PACKAGE_MANAGERS or name == "pip" or (name.startswith("pip") and name[3:].replace(".", "").isdigit()):
        return True
    return name.startswith("python") and words[1:3] == ["-m", "pip"]


def is_run(words, shell):
    if mode == "record":
        return False
    if not words:
        return True
    if shell or (words and os.path.basename(words[0]) in SHELLS):
        import re

        text = words[0] if shell else " ".join(words[1:])
        parts = re.split(r"&&|\|\||;|\n|\|", text.replace("'", " ").replace('"', " "))
        return not any(is_installer(word for word in part.split() if word != "-c") for part in parts)
    return not is_installer(words)


def record(args, shell=False):
    """Notes a call. True if it shall really run."""
    if isinstance(args, (str, bytes, os.PathLike)):
        words = [text_of(args)]
    else:
        words = [text_of(word) for word in args]
    calls.append({"argv": words, "shell": bool(shell), "class": current_class[0], "folder": os.getcwd()})
    runs = is_run(words, shell)
    if runs and mode == "deny":
        calls[-1]["denied"] = True
        raise OSError("the command `%s` is not allowed" % " ".join(words))
    return runs


def note(call, code, *outputs):
    """How a program ended, and the end of what it printed."""
    if code is not None:
        call["code"] = code
    for output in outputs:
        if output:
            lines = text_of(output).splitlines()
            call["output"] = "\n".join((call.get("output", "").splitlines() + lines)[-40:])


def printed(kept):
    """The end of what was printed into a file."""
    kept.seek(max(0, kept.seek(0, os.SEEK_END) - (64 << 10)))
    return kept.read()


class Recorded(real_popen):
    """A program that has ended with success and has said nothing."""

    def __init__(self, args, bufsize=-1, executable=None, stdin=None, stdout=None, stderr=None, *rest, **named):
        shell = named.get("shell", False)
        self.recorded = not record(args, shell)
        self.call = calls[-1]
        self.kept = None
        if not self.recorded:
            # What would go to the log of a worker.
            if stdout is None or stderr is None:
                self.kept = tempfile.TemporaryFile()
            stdout = self.kept if stdout is None else stdout
            stderr = self.kept if stderr is None else stderr
            super().__init__(args, bufsize, executable, stdin, stdout, stderr, *rest, **named)
            return
        is_text = any(named.get(key) for key in ("text", "universal_newlines", "encoding", "errors"))
        make = io.StringIO if is_text else io.BytesIO
        self.args, self.pid, self.returncode = args, 0, 0
        self.stdin = make() if stdin == subprocess.PIPE else None
        self.stdout = make() if stdout == subprocess.PIPE else None
        self.stderr = make() if stderr == subprocess.PIPE else None
        self.nothing = "" if is_text else b""

    def __enter__(self):
        return self

    def __exit__(self, *arguments):
        return None if self.recorded else super().__exit__(*arguments)

    def __del__(self, *arguments, **named):
        if not getattr(self, "recorded", True):
            super().__del__(*arguments, **named)

    def poll(self):
        if self.recorded:
            return 0
        return self.ended(super().poll())

    def ended(self, code):
        kept, self.kept = (self.kept, None) if code is not None else (None, self.kept)
        note(self.call, code, *([printed(kept)] if kept else []))
        return code

    def wait(self, timeout=None):
        if self.recorded:
            return 0
        return self.ended(super().wait(timeout))

    def communicate(self, input=None, timeout=None):
        if not self.recorded:
            outputs = super().communicate(input, timeout)
            note(self.call, self.ended(self.returncode), *outputs)
            return outputs
        return (self.nothing if self.stdout else None), (self.nothing if self.stderr else None)

    def send_signal(self, sig):
        if not self.recorded:
            super().send_signal(sig)


def install(chosen):
    """Takes effect for code that runs from now on."""
    global mode
    mode = chosen
    subprocess.Popen = Recorded

    def system(command):
        if not record(command, True):
            return 0
        call, kept = calls[-1], tempfile.TemporaryFile()
        code = real_popen(command, shell=True, stdout=kept, stderr=subprocess.STDOUT).wait()
        note(call, code, printed(kept))
        if os.name != "posix":
            return code
        return code << 8 if code >= 0 else -code

    def replaced(words):
        record(words)
        raise SystemExit(0)

    def ended_child():
        child = os.fork()
        if child == 0:
            os._exit(0)
        return child

    def spawned(spawn_mode, words):
        record(words)
        return ended_child() if spawn_mode == getattr(os, "P_NOWAIT", 1) and hasattr(os, "fork") else 0

    os.system = system
    for name in ("execv", "execve", "execvp", "execvpe"):
        setattr(os, name, lambda file, words, *rest: replaced(words))
    for name in ("execl", "execlp"):
        setattr(os, name, lambda file, *words: replaced(words))
    for name in ("execle", "execlpe"):
        setattr(os, name, lambda file, *words: replaced(words[:-1]))
    for name in ("spawnv", "spawnve", "spawnvp", "spawnvpe"):
        setattr(os, name, lambda spawn_mode, file, words, *rest: spawned(spawn_mode, words))
    for name in ("spawnl", "spawnlp"):
        setattr(os, name, lambda spawn_mode, file, *words: spawned(spawn_mode, words))
    for name in ("spawnle", "spawnlpe"):
        setattr(os, name, lambda spawn_mode, file, *words: spawned(spawn_mode, words[:-1]))
    for name in ("posix_spawn", "posix_spawnp"):
        if hasattr(os, name):
            setattr(os, name, lambda path, words, *rest, **named: spawned(getattr(os, "P_NOWAIT", 1), words))
