"""Runs setup.py up to its call of setup(), and says what it told: metadata, files, commands, and what the files import.

Of setuptools' own code these run: reading the configuration files, `egg_info` (for the list of files of the source archive),
and the commands that the job itself defines, whose programs are recorded and not run.
"""

import ast
import logging
import os
import sys
import traceback

MOST_FILES = 5000
LARGEST = 2 << 20
NOT_NEEDED = {"setup.py", "setup.cfg", "pyproject.toml", "MANIFEST.in"}


def probe(question, commands):
    folder = os.path.realpath(question["folder"])
    facts = {"modules": list(scanned(folder))}
    opened = Opened(folder)
    commands.install("record")
    sys.path.insert(0, folder)
    if not question["direct"]:
        import pydist_back_end

        try:
            facts["setup"] = pydist_back_end.facts(question, commands, folder)
        except (Exception, SystemExit) as error:
            facts["failure"] = failure(error, folder)
        return ended(facts, opened, commands)
    told = Told()
    try:
        dist = distribution(folder, opened, facts)
    except ImportError as error:
        facts["failure"] = {"exception": "setuptools cannot be used: %s" % error, "file": None, "line": None}
        return facts
    if dist is not None:
        facts["setup"] = metadata(dist)
        try:
            discover(dist, folder, facts["setup"])
            facts["setup"].update(sub_commands(dist))
            # setuptools itself stumbles over a command that is not defined.
            if not facts["setup"]["undefined"]:
                facts["setup"].update(archive_files(dist, told))
                custom_commands(dist, folder, opened, commands, facts["setup"])
        except (Exception, SystemExit) as error:
            facts["failure"] = failure(error, folder)
    return ended(facts, opened, commands)


def ended(facts, opened, commands):
    if "setup" in facts:
        names = set(facts["setup"]["py_modules"]) | {name.partition(".")[0] for name in facts["setup"]["packages"]}
        facts["setup"]["standard"] = sorted(names & standard_modules())
    facts["calls"] = commands.calls
    facts["opened"] = sorted(opened.paths)
    return facts


def standard_modules():
    """Names of the standard library, in use on this Python."""
    known = getattr(sys, "stdlib_module_names", None)
    if known is None:
        folder = os.path.dirname(os.__file__)
        known = {name.partition(".")[0] for name in os.listdir(folder)} | set(sys.builtin_module_names)
    return {name for name in known if not name.startswith("_")} - {"site-packages", "run"}


class Opened:
    """Files of the job that are read while `active`."""

    def __init__(self, folder):
        self.prefix = folder + os.sep
        self.active = False
        self.paths = set()
        sys.addaudithook(self.hear)

    def hear(self, event, arguments):
        if event != "open" or not self.active:
            return
        path, mode, flags = arguments
        reads = "r" in mode if isinstance(mode, str) else not (flags or 0) & (os.O_WRONLY | os.O_RDWR)
        if not reads or not isinstance(path, (str, bytes)):
            return
        path = os.path.abspath(os.fsdecode(path))
        if path.startswith(self.prefix) and os.path.isfile(path):
            path = path[len(self.prefix) :].replace(os.sep, "/")
            if path not in NOT_NEEDED and not path.endswith(".pyc") and ".egg-info/" not in path:
                self.paths.add(path)


class Told(logging.Handler):
    """What setuptools logs."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.lines = []
        logging.getLogger().addHandler(self)

    def emit(self, record):
        try:
            self.lines.append(record.getMessage())
        except Exception:
            pass


def failure(error, folder):
    """The exception, with its last place in a file of the job."""
    place = (None, None)
    if isinstance(error, SyntaxError) and error.filename:
        place = (error.filename, error.lineno)
    else:
        for frame in traceback.extract_tb(error.__traceback__):
            if os.path.abspath(frame.filename).startswith(folder + os.sep):
                place = (frame.filename, frame.lineno)
    file = place[0] and os.path.abspath(place[0])
    if file and file.startswith(folder + os.sep):
        file = file[len(folder) + 1 :].replace(os.sep, "/")
    words = error.msg if isinstance(error, SyntaxError) else error
    name = type(error).__name__
    if isinstance(error, SystemExit) and isinstance(error.code, str):
        text = error.code
    elif isinstance(error, SystemExit):
        text = "it ended Python with exit code %s" % (error.code or 0)
    elif isinstance(error, EOFError):
        text = "it waits for input: EOFError: end of file"
    else:
        text = "%s: %s" % (name, words)
    return {"exception": text.replace(folder + os.sep, ""), "file": file, "line": place[1], "kind": name}


def distribution(folder, opened, facts):
    """What setup() was given, or None."""
    import distutils.core

    import setuptools

    facts["setuptools"] = setuptools.__version__
    # setup_requires is what the back end's hook asks for; it would start pip here.
    setuptools._install_setup_requires = lambda attributes: None
    distutils.core._setup_stop_after = "config"
    distutils.core._setup_distribution = None
    script = os.path.join(folder, "setup.py")
    # The back end runs a setup.py whatever the setup file is.
    if os.path.exists(script):
        with open(script, "rb") as file:
            source = file.read()
    else:
        source = b"import setuptools; setuptools.setup()"
    names = {"__file__": script, "__name__": "__main__", "__builtins__": __builtins__}
    opened.active = True
    try:
        exec(compile(source, script, "exec"), names)
    except (Exception, SystemExit) as error:
        facts["failure"] = failure(error, folder)
    finally:
        opened.active = False
        os.chdir(folder)
    distutils.core._setup_stop_after = None
    return distutils.core._setup_distribution


def texts(value):
    return [str(item) for item in value or []] if not isinstance(value, str) else value.split("\n")


def metadata(dist):
    data_files = []
    for entry in dist.data_files or []:
        if isinstance(entry, str):
            data_files.append({"dest": "", "sources": [entry]})
        else:
            dest, sources = entry
            data_files.append({"dest": str(dest), "sources": [str(source) for source in sources or []]})
    return {
        "name": dist.metadata.name,
        "version": dist.metadata.version,
        "py_modules": texts(dist.py_modules),
        "packages": texts(dist.packages),
        "package_dir": {str(key): str(value) for key, value in (dist.package_dir or {}).items()},
        "data_files": data_files,
        "install_requires": [line for line in texts(getattr(dist, "install_requires", None)) if line.strip()],
        "setup_requires": texts(getattr(dist, "setup_requires", None)),
        "python_requires": str(getattr(dist, "python_requires", None) or "") or None,
        "has_extensions": bool(dist.has_ext_modules()),
        "cmdclass": sorted(str(name) for name in dist.cmdclass),
    }


def discover(dist, folder, facts):
    """What setuptools finds by itself if neither modules nor packages are named."""
    facts["ambiguous"] = []
    if dist.py_modules or dist.packages or dist.ext_modules:
        return
    try:
        dist.set_defaults()
    except Exception:
        from setuptools.discovery import FlatLayoutModuleFinder, FlatLayoutPackageFinder

        found = FlatLayoutModuleFinder.find(folder) + FlatLayoutPackageFinder.find(folder)
        facts["ambiguous"] = sorted(str(name) for name in found)
    facts["py_modules"], facts["packages"] = texts(dist.py_modules), texts(dist.packages)


def archive_files(dist, told):
    """The files of the source archive, and what each rule of MANIFEST.in did."""
    from setuptools.command import egg_info

    rules = []
    original = egg_info.FileList.process_template_line

    def process(self, line):
        before, said = set(self.files), len(told.lines)
        warnings = []
        try:
            return original(self, line)
        except Exception as error:
            warnings.append(str(error))
            raise
        finally:
            removed = sorted(before.difference(self.files))
            rules.append({"text": line, "warnings": told.lines[said:] + warnings, "removed": removed[:1000]})

    egg_info.FileList.process_template_line = process
    dist.script_name = "setup.py"
    command = dist.get_command_obj("egg_info")
    command.ensure_finalized()
    command.run()
    egg_info.FileList.process_template_line = original
    for rule, line in zip(rules, template_lines()):
        rule["line"] = line
    own = os.path.normpath(command.egg_info) + os.sep
    files = [os.path.normpath(path) for path in command.filelist.files]
    return {"archive": sorted(path.replace(os.sep, "/") for path in files if not path.startswith(own)), "rules": rules}


def template_lines():
    """The line number of each rule. distutils' reader of such files does not count comments."""
    if not os.path.isfile("MANIFEST.in"):
        return []
    lines, start = [], None
    with open("MANIFEST.in", encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            text = line.rstrip()
            comment = text.find("#")
            if comment == 0 or (comment > 0 and text[comment - 1] != "\\"):
                text = text[:comment].rstrip()
                if not text:
                    continue
            if start is None:
                if not text:
                    continue
                start = number
            if not text.endswith("\\"):
                lines.append(start)
                start = None
    return lines


def sub_commands(dist):
    """What `build` runs, and which of that has no class."""
    from distutils.errors import DistutilsError

    names, undefined = [], []
    for name, _ in dist.get_command_obj("build").sub_commands:
        names.append(name)
        try:
            dist.get_command_class(name)
        except DistutilsError:
            undefined.append(name)
    return {"sub_commands": names, "undefined": undefined}


def custom_commands(dist, folder, opened, commands, facts):
    """Runs the commands that the job defines, as building a wheel would."""

    def is_own(command_class):
        module = sys.modules.get(command_class.__module__)
        file = getattr(module, "__file__", None) if command_class.__module__ != "__main__" else os.path.join(folder, "setup.py")
        return bool(file) and os.path.abspath(file).startswith(folder + os.sep)

    own = {name for name, command_class in dist.cmdclass.items() if is_own(command_class)}
    ran, problems = set(), []

    def run_own(name):
        if name not in own or name in ran:
            return
        ran.add(name)
        command_class = dist.cmdclass[name]
        outer, commands.current_class[0] = commands.current_class[0], command_class.__name__
        opened.active = True
        try:
            command = dist.get_command_obj(name)
            if name == "install":
                command.root, command.single_version_externally_managed = os.path.join(folder, "build", "root"), True
            command.ensure_finalized()
            command.run()
        except (Exception, SystemExit) as error:
            problems.append(dict(failure(error, folder), **{"class": command_class.__name__}))
        finally:
            opened.active = False
            commands.current_class[0] = outer
            os.chdir(folder)

    dist.run_command = run_own
    build = dist.get_command_obj("build")
    if "build" in own:
        run_own("build")
    else:
        build.ensure_finalized()
        build.run()
    for name in ("build_py", "build_ext", "egg_info", "install"):
        run_own(name)
    from distutils.command import __all__ as standard

    known = set(standard) | {"develop", "egg_info", "test", "bdist_wheel", "bdist_egg", "dist_info", "editable_wheel"}
    facts["problems"] = problems
    facts["build_module"] = type(build).__module__
    facts["never_run"] = [
        {"name": name, "class": dist.cmdclass[name].__name__}
        for name in sorted(own)
        if name not in ran and name not in known and name not in facts["sub_commands"]
    ]


def scanned(folder):
    """What each Python file imports and defines, read and not run."""
    count = 0
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = os.path.join(place, name)
            if not name.endswith(".py") or os.path.islink(path):
                continue
            count += 1
            if count > MOST_FILES:
                return
            with open(path, "rb") as file:
                source = file.read(LARGEST + 1)
            shown = os.path.relpath(path, folder).replace(os.sep, "/")
            try:
                if len(source) > LARGEST:
                    raise ValueError("it is too large")
                tree = ast.parse(source)
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                yield {"file": shown, "imports": [], "paths": [], "defines": []}
                continue
            yield dict(found(tree), file=shown)


def found(tree):
    guarded = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Try) and any(catches_import_errors(handler) for handler in node.handlers):
            guarded.update(id(inner) for statement in node.body for inner in ast.walk(statement))
    imports, paths = [], []
    for node in ast.walk(tree):
        optional = id(node) in guarded
        if isinstance(node, ast.Import):
            imports.extend({"name": alias.name, "line": node.lineno, "optional": optional} for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            imports.append({"name": node.module, "line": node.lineno, "optional": optional})
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("/usr/"):
            paths.append({"text": node.value[:1000], "line": node.lineno})
    defines = set()
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            defines.add(node.name)
        elif isinstance(node, ast.Assign):
            defines.update(target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            defines.update(alias.asname or alias.name for alias in node.names)
    return {"imports": imports, "paths": paths, "defines": sorted(defines)}


def catches_import_errors(handler):
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    names = {getattr(kind, "id", None) for kind in kinds}
    return handler.type is None or bool(names & {"ImportError", "ModuleNotFoundError", "Exception"})
