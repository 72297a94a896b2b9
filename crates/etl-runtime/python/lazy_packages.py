"""Packages whose `__init__` runs when it is needed, and not because one of some modules inside is imported.

The SDK's packages import the whole client, which a server needs nothing of: a third of its time to start. A module that
is not among those known to stand alone is imported as ever: the `__init__` of its packages first, outermost first.
"""

import importlib.machinery
import sys
import types


class LazyPackage(types.ModuleType):
    """Becomes an ordinary module with the first attribute that only its `__init__` can give."""

    def __getattr__(self, name):
        # Asked for by the machinery of imports, and by tools that look at every module.
        if name.startswith("__") and name != "__all__":
            raise AttributeError(name)
        if not wake(self.__name__):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return getattr(self, name)


def wake(name):
    """Runs what waits of this package and those around it, outermost first. Whether anything did."""
    parts = name.split(".")
    woken = False
    for end in range(1, len(parts) + 1):
        package = sys.modules.get(".".join(parts[:end]))
        loader = vars(package).pop("_lazy_loader", None) if isinstance(package, LazyPackage) else None
        if loader is not None:
            package.__class__ = types.ModuleType
            loader.exec_module(package)
            woken = True
    return woken


class Waker:
    """Looks at imports first: finds nothing, but wakes packages."""

    def __init__(self, top, alone):
        self.top, self.alone = top + ".", alone

    def find_spec(self, fullname, _path=None, _target=None):
        if not fullname.startswith(self.top) or fullname.startswith(self.alone):
            return None
        if wake(fullname.rpartition(".")[0]) and fullname in sys.modules:
            # Imported meanwhile by what was woken. The machinery would take the module's own spec and load a second
            # copy, with other classes.
            module = sys.modules[fullname]
            module.__spec__ = importlib.machinery.ModuleSpec(fullname, Present(module))
            return module.__spec__
        return None


class Present:
    """A loader of a module that is there."""

    def __init__(self, module):
        self.module, self.spec = module, module.__spec__

    def create_module(self, _spec):
        return self.module

    def exec_module(self, module):
        module.__spec__ = self.spec


def install(top, names, alone):
    """Puts the packages `names` into `sys.modules`, outermost first; modules whose names begin with one of `alone` do
    not wake them. Where a package is not found, imports work as ever."""
    if top in sys.modules:
        return
    for name in names:
        parent, _, child = name.rpartition(".")
        path = sys.modules[parent].__path__ if parent else None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is None or spec.submodule_search_locations is None:
            break
        package = LazyPackage(name)
        package.__spec__ = spec
        package.__path__ = spec.submodule_search_locations
        package.__file__ = spec.origin
        package.__loader__ = spec.loader
        package.__package__ = name
        vars(package)["_lazy_loader"] = spec.loader
        sys.modules[name] = package
        if parent:
            setattr(sys.modules[parent], child, package)
    sys.meta_path.insert(0, Waker(top, tuple(alone)))


def install_sdk():
    """The AIStore SDK: its server classes and the few modules that they import need no client."""
    packages = ("aistore", "aistore.sdk", "aistore.sdk.etl", "aistore.sdk.etl.webserver")
    leaves = ("const", "errors", "etl.webserver", "provider", "session_manager", "utils")
    # Nothing else begins with these names, except what is inside of `etl.webserver`.
    install("aistore", packages, [f"aistore.sdk.{leaf}" for leaf in leaves])
