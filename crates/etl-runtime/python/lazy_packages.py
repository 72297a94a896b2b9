"""Packages whose `__init__` runs when something in it is asked for, and not because a module inside is imported.

The SDK's packages import the whole client, which a server needs nothing of: a third of its time to start. The modules
themselves are imported as ever.
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
        loader = self.__dict__.pop("_lazy_loader", None)
        if loader is None:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        self.__class__ = types.ModuleType
        try:
            loader.exec_module(self)
        except BaseException:
            self.__class__ = LazyPackage
            self.__dict__["_lazy_loader"] = loader
            raise
        return getattr(self, name)


def install(top, names):
    """Puts packages into `sys.modules`, outermost first. Where one is not found, imports work as ever."""
    if any(name == top or name.startswith(top + ".") for name in sys.modules):
        return
    for name in names:
        parent, _, child = name.rpartition(".")
        path = sys.modules[parent].__path__ if parent else None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is None or spec.submodule_search_locations is None:
            return
        package = LazyPackage(name)
        package.__spec__ = spec
        package.__path__ = spec.submodule_search_locations
        package.__file__ = spec.origin
        package.__loader__ = spec.loader
        package.__package__ = name
        package.__dict__["_lazy_loader"] = spec.loader
        sys.modules[name] = package
        if parent:
            setattr(sys.modules[parent], child, package)
