"""Imports modules, each in a process of its own. Run by the builder with the interpreter of a finished prefix.

usage: python -I -X pycache_prefix=FOLDER import_driver.py JOB.json

The job: {"mode": "fork", "group" or "spawn", "modules": [...], "jobs": 2, "limit": seconds, "results": FILE,
"scratch": FOLDER, "launcher": [words before the name of a program]}. One JSON line per module is appended to the
results file as it becomes known, and the file "done" in "scratch" says that all were tried. What was imported has

- "loaded": the native files of the prefix, as paths below it, that are loaded now; in the mode "fork" without those that
  the process it was forked from has told.
- "outside": the same for files elsewhere; "interpreter": those elsewhere that belong to the interpreter, as they do in a
  virtual environment.
- "failed": by path below the prefix, why extension modules did not import that something had tried to.
- "asked": the names at the top, less those of the standard library, that something tried to import.

"fork" is the fast way and tells successes only: a process that has imported `a` is forked for `a.b` and `a.c`, so
what packages share is imported once, unless `a` has imported them already. The order of imports in each process is that of a fresh interpreter. A module
without a line has to be tried again by "spawn". Packages that are only on the way to a module have a line, too. The
processes of packages at the top end as Python does, with exit handlers and all, where there are native code, exit
handlers or threads; those that then fail are listed in the file "suspects" in "scratch", for "exit" to try.

"group" is for where there is no fork and starting a process takes long: one process imports the modules of one
top-level package, one after the other. It tells successes only, too.

"spawn": a fresh interpreter for each, which tells failures too:
{"module", "ended": "error" | "crash" | "timeout", "error", "missing": name of the module that was not found, "loaded"}.

"exit": as "spawn", but the interpreter ends as it usually does, and "left" tells how when it does not end well.

For "fork" the job may also have "after": {package: [packages whose import is waited for]}, so that nothing is compiled
twice side by side; "bytecode": {folder of sources: folder that keeps their byte code, or null for the usual one};
"compiled": {folder of sources: folder that keeps what numba compiles of them}. "spawn" knows none of these: what it
tells comes from the sources alone.

What is imported here is there for the modules that are tried, too, and hides that they do not import it themselves. So
before the attempt it is only what every interpreter has loaded, and a few modules that are written in C.
"""

import os
import sys
import time

MAX_ERROR = 1500
# Seconds for what runs at the end of an interpreter.
EXIT_LIMIT = 20


def real(path):
    """As the system names what lies there: Linux and macOS without links, Windows as it was asked for."""
    return path if os.name == "nt" else os.path.realpath(path)


PREFIX = os.path.join(real(sys.prefix), "")
INTERPRETER = os.path.join(real(os.path.dirname(os.__file__) if sys.platform == "linux" else sys.base_prefix), "")
# What a process that this one was forked from has told already.
told = set()
# By path, why the extension module there did not import.
failed = {}
asked = set()
# The newest module that was there when the files of modules were last read, with its name.
newest = None


def attempt(module):
    result = attempt_import(module)
    try:
        files = loaded_files()
    except Exception:  # What is asked for the list may lack something itself.
        files = set()
    # A module may be imported though its file is not loaded: mypyc has one library for many of them.
    files = {path for path in files.union(module_files()) if not path.endswith((".py", ".pyc"))} - told
    if result["ended"] == "imported":
        told.update(files - failed.keys())
    result["loaded"] = sorted(filter(None, map(below_prefix, files)))
    elsewhere = [path for path in files if not below_prefix(path) and not is_of_system(path)]
    result["interpreter"] = sorted(path for path in elsewhere if path.startswith(INTERPRETER))
    result["outside"] = sorted(path for path in elsewhere if not path.startswith(INTERPRETER))
    result["failed"] = {below_prefix(path): text for path, text in failed.items() if below_prefix(path)}
    result["asked"] = sorted(asked.difference(getattr(sys, "stdlib_module_names", ())))
    return result


def attempt_import(module):
    try:
        __import__(module)
    except BaseException as error:  # an import may well call sys.exit
        import traceback

        text = "".join(traceback.format_exception_only(type(error), error)).strip()
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        return {"module": module, "ended": "error", "error": text[:MAX_ERROR], "missing": missing}
    return {"module": module, "ended": "imported"}


def below_prefix(path):
    """With slashes. `None` for what lies elsewhere."""
    if os.path.normcase(path).startswith(os.path.normcase(PREFIX)):
        return path[len(PREFIX) :].replace(os.sep, "/")
    return None


def is_of_system(path):
    if sys.platform == "linux":
        # Neither a file of the disk nor code that somebody else put there.
        return not path.startswith("/") or path.endswith(" (deleted)")
    if sys.platform == "darwin":
        return path.startswith(("/usr/lib/", "/System/"))
    return os.path.normcase(path).startswith(os.path.normcase(os.environ.get("SYSTEMROOT", "C:\\Windows")))


def watch():
    """Sees from now on what is imported, and which extension modules fail."""
    import _imp

    def watched(function, path_of):
        def call(item, *arguments):
            try:
                result = function(item, *arguments)
            except BaseException as error:
                path = path_of(item)
                if isinstance(path, str):
                    failed[real(path)] = ("%s: %s" % (type(error).__name__, error))[:MAX_ERROR]
                raise
            if failed:
                failed.pop(real(str(path_of(item))), None)
            return result

        return call

    def origin(spec):
        return getattr(spec, "origin", None)

    _imp.create_dynamic = watched(_imp.create_dynamic, origin)
    _imp.exec_dynamic = watched(_imp.exec_dynamic, lambda module: origin(getattr(module, "__spec__", None)))
    asked.update(name.partition(".")[0] for name in sys.modules)
    sys.meta_path.insert(0, Asked)


class Asked:
    """Finds nothing."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        asked.add(name.partition(".")[0])

    @staticmethod
    def invalidate_caches():
        pass


def loaded_files():
    """What this process has loaded, without files that are no code where that can be told."""
    if sys.platform == "linux":
        return mapped_files()
    return dyld_images() if sys.platform == "darwin" else windows_modules()


def module_files():
    """Read as they stand: some modules import others when they are asked for an attribute. By their true type: the
    libraries of cffi only say that they are modules, and have no attributes of one.

    Only of modules that have come since the last time: whatever is touched in a process that was forked is copied.
    """
    global newest
    try:
        named = list(modules_after(newest))
    except RuntimeError:  # Another thread imports something.
        named = list(reversed(list(sys.modules.items())))
    newest = named[0] if named else newest
    modules = [module for _, module in named if issubclass(type(module), type(sys))]
    files = [object.__getattribute__(module, "__dict__").get("__file__") for module in modules]
    return [path for path in files if isinstance(path, str)]


def modules_after(known):
    """The newest first."""
    for name in reversed(sys.modules):
        module = sys.modules[name]
        # One module may have several names, and one name another module than before.
        if known and name == known[0] and module is known[1]:
            break
        yield name, module


def mapped_files():
    with open("/proc/self/maps", "rb") as maps:
        lines = [line for line in maps if b"/" in line and line.split(None, 2)[1][2:3] == b"x"]
    return {os.fsdecode(line[line.index(b"/") :].rstrip(b"\n")) for line in lines}


def dyld_images():
    import ctypes

    dyld = ctypes.CDLL(None)
    dyld._dyld_get_image_name.restype = ctypes.c_char_p
    names = [dyld._dyld_get_image_name(index) for index in range(dyld._dyld_image_count())]
    return {real(os.fsdecode(name)) for name in names if name and not name.startswith(b"/usr/lib/")}


def windows_modules():
    import ctypes
    from ctypes import wintypes

    kernel = ctypes.WinDLL("kernel32")
    kernel.GetCurrentProcess.restype = wintypes.HANDLE
    process = wintypes.HANDLE(kernel.GetCurrentProcess())
    handles = (wintypes.HMODULE * 8192)()
    size = wintypes.DWORD()
    if not kernel.K32EnumProcessModules(process, handles, ctypes.sizeof(handles), ctypes.byref(size)):
        raise OSError("no list of modules")
    name = ctypes.create_unicode_buffer(32768)
    names = set()
    for handle in handles[: size.value // ctypes.sizeof(wintypes.HMODULE)]:
        if kernel.GetModuleFileNameW(wintypes.HMODULE(handle), name, len(name)):
            names.add(name.value)
    return names


def append(path, row):
    append_line(path, to_json(row))


def append_line(path, line):
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, line.encode("utf-8") + b"\n")
    finally:
        os.close(descriptor)


def to_json(value):
    """Without `json` and all that it imports."""
    if isinstance(value, str):
        plain = value.isascii() and value.isprintable() and '"' not in value and "\\" not in value
        return '"%s"' % (value if plain else "".join(map(json_character, value)))
    if isinstance(value, dict):
        return "{%s}" % ", ".join("%s: %s" % (to_json(key), to_json(item)) for key, item in value.items())
    if isinstance(value, list):
        return "[%s]" % ", ".join(map(to_json, value))
    return "null" if value is None else str(int(value))


def json_character(character):
    number = ord(character)
    if number > 0xFFFF:
        number -= 0x10000
        return "\\u%04x\\u%04x" % (0xD800 + (number >> 10), 0xDC00 + (number & 0x3FF))
    return character if " " <= character <= "~" and character not in '"\\' else "\\u%04x" % number


def from_json(path):
    """What the builder writes is an expression of Python, too, but for these three names."""
    with open(path, "rb") as file:
        return eval(file.read().decode("utf-8"), {"true": True, "false": False, "null": None})


def alarm(seconds):
    """Ends this process even when the one that watches it has been killed."""
    if os.name == "posix":
        import _signal

        _signal.alarm(int(float(seconds)))


# --- fork: one process per module, forked from the process of its package


class Package:
    def __init__(self, name):
        self.name = name
        self.wanted = False
        self.children = {}


def tree_of(modules):
    root = Package("")
    for module in modules:
        package = root
        for part in module.split("."):
            name = part if not package.name else package.name + "." + part
            package = package.children.setdefault(name, Package(name))
        package.wanted = True
    return root


class Forker:
    def __init__(self, job):
        self.job = job
        # Packages at the top whose import has ended, whichever way.
        self.over = set()
        # Native files that are loaded before any package is.
        self.loaded = set()
        # As many tokens as imports may run at once, shared by all processes of the tree.
        self.token_source, self.token_sink = os.pipe()
        os.set_blocking(self.token_source, False)
        os.write(self.token_sink, b"x" * job["jobs"])

    def take_token(self):
        try:
            return len(os.read(self.token_source, 1)) == 1
        except BlockingIOError:
            return False

    def return_token(self):
        os.write(self.token_sink, b"x")

    def explore(self, package, at_once):
        """Runs in the process that has imported `package`."""
        was_there = "select" in sys.modules
        import select

        if not was_there:
            del sys.modules["select"]
        if not package.name and sys.platform == "linux":  # As in `begin`.
            self.loaded = loaded_files()
        parent = os.getppid()
        waiting = list(self.left_of(package) if package.name else package.children.values())
        running = {}
        while waiting or running:
            if os.getppid() != parent:
                self.abandon(running)
            child = self.next_of(waiting, running, at_once)
            may_start = child is not None
            if may_start and self.take_token():
                waiting.remove(child)
                child = Child(self, child)
                running[child.pipe] = child
                continue
            sources = list(running) + ([self.token_source] if may_start else [])
            ready, _, _ = select.select(sources, [], [], 0.5)
            for child in list(running.values()):
                if child.is_over(child.pipe in ready):
                    del running[child.pipe]

    def left_of(self, package):
        """What is below it and not imported yet. The rest is told of here: processes of its own would import nothing."""
        for child in package.children.values():
            if sys.modules.get(child.name) is None:
                yield child
            else:
                tell_success(self, child)
                yield from self.left_of(child)

    def next_of(self, waiting, running, at_once):
        """The first that waits for nothing; simply the first where they wait for each other."""
        if len(running) >= at_once:
            return None
        after = self.job.get("after", {})
        free = (child for child in waiting if self.over.issuperset(after.get(child.name, ())))
        first = next(free, None)
        return first if first or running or not waiting else waiting[0]

    def abandon(self, running):
        for child in running.values():
            child.kill()
        os._exit(1)


class Child:
    def __init__(self, forker, package):
        self.forker = forker
        self.name = package.name
        self.importing = True
        self.status = 0
        self.deadline = time.monotonic() + forker.job["limit"]
        self.pipe, sink = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            leaves = False
            try:
                os.close(self.pipe)
                leaves = run_child(forker, package, sink)
            finally:
                if not leaves:
                    os._exit(0)
            alarm(EXIT_LIMIT)
            sys.exit(0)
        os.close(sink)

    def is_over(self, readable):
        message = os.read(self.pipe, 1) if readable else None
        if message:
            # The import is done; what follows are imports below it, which take tokens of their own.
            self.importing = False
            self.forker.over.add(self.name)
            self.forker.return_token()
            return False
        if self.importing and time.monotonic() > self.deadline:
            self.kill()
        elif message is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid == 0:
                return False
            self.status = status
        else:
            # It has ended or is about to, so that this no longer changes how.
            self.kill()
        if self.status and not self.importing and "." not in self.name:
            append_line(os.path.join(self.forker.job["scratch"], "suspects"), self.name)
        self.close()
        return True

    def close(self):
        if self.importing:
            self.forker.over.add(self.name)
            self.forker.return_token()
        self.kill()
        os.close(self.pipe)

    def kill(self):
        """Processes that the import has started are in our group, which the builder ends when we are done."""
        try:
            os.kill(self.pid, 9)
            self.status = os.waitpid(self.pid, 0)[1]
        except OSError:
            pass


def run_child(forker, package, sink):
    silence()
    alarm(forker.job["limit"] + 5)
    imported = tell_success(forker, package)
    alarm(0)
    os.write(sink, b"x")
    if imported and package.children:
        forker.explore(package, forker.job["jobs"])
    return imported and "." not in package.name and runs_at_the_end(forker)


def tell_success(forker, package):
    result = attempt(package.name)
    imported = result["ended"] == "imported"
    if imported:
        append(forker.job["results"], result)
    return imported


def runs_at_the_end(forker):
    """Whether anything of the package runs when the interpreter ends. Taking an interpreter apart after a fork copies most
    of its memory, which takes longer than many an import.
    """
    import atexit

    try:
        native = loaded_files() - forker.loaded
    except Exception:  # As in `attempt`.
        native = True
    return bool(native) or atexit._ncallbacks() > 0 or len(sys._current_frames()) > 1


def silence():
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)


def keep_bytecode(folders):
    """Byte code of what lies below a folder of the map is read and written where the map says."""
    # `importlib._bootstrap_external`, which is there before `importlib` is.
    machinery = sys.modules["_frozen_importlib_external"]
    usual = machinery.cache_from_source

    def kept(path, *arguments, **options):
        folder = os.path.dirname(path)
        while folder not in folders:
            above = os.path.dirname(folder)
            if above == folder:
                break
            folder = above
        home = folders.get(folder)
        if home is None:
            return usual(path, *arguments, **options)
        return os.path.join(home, os.path.relpath(path, folder) + "c")

    machinery.cache_from_source = kept


def keep_compiled(folders):
    """numba names its folders after the place of the sources, which is another one in each repository. Should it name
    them otherwise, nothing is kept."""
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
        return
    try:
        # Here and not in the process that imports are forked from: they shall load it, or fail to, by themselves.
        from hashlib import sha1

        for sources, kept in folders.items():
            os.makedirs(kept, exist_ok=True)
            name = "%s_%s" % (os.path.basename(sources), sha1(sources.encode()).hexdigest())
            os.symlink(kept, os.path.join(os.environ["NUMBA_CACHE_DIR"], name))
    finally:
        os._exit(0)


def in_threads(job, items, act):
    """Calls `act` with each item's number, the item, and a function that appends a row to the results."""
    import queue
    import threading

    waiting = queue.SimpleQueue()
    for pair in enumerate(items):
        waiting.put(pair)
    one_at_a_time = threading.Lock()

    def tell(row):
        # Appending is one step for the system only where it is POSIX.
        with one_at_a_time:
            append(job["results"], row)

    def work():
        while True:
            try:
                number, item = waiting.get_nowait()
            except queue.Empty:
                return
            act(job, number, item, tell)

    threads = [threading.Thread(target=work) for _ in range(job["jobs"])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def start(job, log, *arguments):
    import subprocess

    command = job["launcher"] + [sys.executable, "-I", "-X", "pycache_prefix=" + sys.pycache_prefix, __file__]
    with open(log, "wb") as output:
        return subprocess.Popen(command + list(arguments), stdin=subprocess.DEVNULL, stdout=output, stderr=output)


# --- group: one process per top-level package


def groups_of(modules):
    groups = {}
    for module in modules:
        groups.setdefault(module.split(".")[0], []).append(module)
    # Long ones first, so that none is left alone at the end.
    return sorted(groups.values(), key=len, reverse=True)


def group(job, number, modules, tell):
    while modules:
        done = run_group(job, number, modules, tell)
        if done == 0:
            # What they share seems to fail: trying each alone tells more.
            return
        # The next one ended the process, or its time was up.
        modules = modules[done + 1 :]


def run_group(job, number, modules, tell):
    """How many imports came to an end, well or not."""
    stem = os.path.join(job["scratch"], "group-%d" % number)
    write_json(stem + ".modules", modules)
    open(stem + ".rows", "w").close()
    process = start(job, stem + ".log", "--several", stem + ".modules", stem + ".rows", str(job["limit"]))
    done = 0
    deadline = time.monotonic() + job["limit"]
    while True:
        is_over = process.poll() is not None
        rows = read_rows(stem + ".rows")
        for row in rows[done:]:
            deadline = time.monotonic() + job["limit"]
            if row["ended"] == "imported":
                tell(row)
        done = len(rows)
        if is_over:
            return done
        if time.monotonic() > deadline:
            kill(process)
            continue
        time.sleep(0.1)


def read_rows(path):
    """All but a last line that is still being written."""
    import json

    with open(path, encoding="ascii") as file:
        return [json.loads(line) for line in file if line.endswith("\n")]


def several(modules, rows, limit):
    watch()
    for module in from_json(modules):
        alarm(float(limit) + 5)
        append(rows, attempt(module))
    os._exit(0)


# --- spawn: one fresh interpreter per module


def spawn(job, number, module, tell):
    tell(attempt_alone(job, number, module))


def spawn_and_leave(job, number, module, tell):
    tell(attempt_alone(job, number, module, "leave"))


def attempt_alone(job, number, module, *how):
    import json
    import subprocess

    answer = os.path.join(job["scratch"], "%d.answer" % number)
    log = os.path.join(job["scratch"], "%d.log" % number)
    process = start(job, log, "--one", module, answer, str(job["limit"]), *how)
    try:
        code = process.wait(job["limit"])
    except subprocess.TimeoutExpired:
        code = None
        kill(process)
    if code is None:
        text = "did not end within %g s" % job["limit"]
        return {"module": module, "ended": "timeout", "error": text, "missing": None}
    try:
        with open(answer, encoding="ascii") as file:
            row = json.load(file)
        if how and code:
            last = last_line(log)
            row["left"] = how_it_ended(code) + (": " + last if last else "")
        said = emulator_line(log) if row["ended"] == "error" else ""
        if said:
            row["error"] += " (%s)" % said
        return row
    except (OSError, ValueError):
        text = "%s before the import was done" % how_it_ended(code)
        last = emulator_line(log) or last_line(log)
        return {"module": module, "ended": "crash", "error": text + (": " + last if last else ""), "missing": None}


def kill(process):
    if os.name == "nt":
        import subprocess

        # Before its children lose their parent, by which alone they are found.
        command = ["taskkill", "/F", "/T", "/PID", str(process.pid)]
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    process.kill()
    process.wait()


def how_it_ended(code):
    if code >= 0:
        return "ended with code %d" % code
    import signal

    try:
        return "killed by %s" % signal.Signals(-code).name
    except ValueError:
        return "killed by signal %d" % -code


def last_lines(path):
    """The last one first."""
    with open(path, "rb") as file:
        file.seek(max(0, os.path.getsize(path) - 16384))
        lines = [line.strip() for line in file.read().decode("utf-8", "replace").splitlines()]
    return [line[:MAX_ERROR] for line in reversed(lines) if line]


def last_line(path):
    return next(iter(last_lines(path)), "")


def emulator_line(path):
    """What qemu or wine said about what it cannot do; it may have said more afterwards."""
    signs = ("unimplemented function", "qemu: ", ":err:module:import_dll")
    return next((line for line in last_lines(path) if any(sign in line for sign in signs)), "")


def one(module, answer, limit, how=None):
    watch()
    begin()
    alarm(float(limit) + 5)
    write_json(answer, attempt(module))
    if how == "leave":
        alarm(EXIT_LIMIT)
        sys.exit(0)
    # Threads and exit handlers of what was imported are not what is checked here.
    os._exit(0)


def write_json(path, value):
    with open(path, "wb") as file:
        file.write(to_json(value).encode("ascii"))


def begin():
    """Leaves out what every process has loaded from the start. Elsewhere the list takes a module that is not there yet."""
    if sys.platform == "linux":
        told.update(loaded_files())


def main(arguments):
    if arguments[0] == "--one":
        one(*arguments[1:])
    if arguments[0] == "--several":
        several(*arguments[1:])
    job = from_json(arguments[0])
    if job["mode"] == "fork":
        if job.get("bytecode"):
            keep_bytecode(job["bytecode"])
        if job.get("compiled"):
            keep_compiled(job["compiled"])
        watch()
        begin()
        # Twice as many at the top, since some there wait for others of which all modules are still to be imported.
        Forker(job).explore(tree_of(job["modules"]), 2 * job["jobs"])
    elif job["mode"] == "group":
        in_threads(job, groups_of(job["modules"]), group)
    else:
        in_threads(job, job["modules"], spawn_and_leave if job["mode"] == "exit" else spawn)
    write_json(os.path.join(job["scratch"], "done"), True)


main(sys.argv[1:])
