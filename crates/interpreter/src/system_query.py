import json, os, sys, sysconfig

name = getattr(sysconfig, "_get_sysconfigdata_name", lambda: None)()
built = {}
try:
    built = __import__(name).build_time_vars if name else {}
except ImportError:
    pass
print(json.dumps({
    "implementation": sys.implementation.name,
    "version": "%d.%d.%d" % sys.version_info[:3],
    "final": sys.version_info.releaselevel == "final",
    "prefix": os.path.realpath(sys.base_prefix),
    "virtual": sys.prefix != sys.base_prefix,
    "flags": getattr(sys, "abiflags", ""),
    "stdlib": os.path.realpath(os.path.dirname(os.__file__)),
    "built_for": built.get("prefix", ""),
    "built_in": [built[key] for key in ("abs_builddir", "abs_srcdir") if key in built],
}))
