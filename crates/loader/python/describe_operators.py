"""Prints what the functions of an extension's module take and return, as JSON. `PYTHON -I describe_operators.py`, with
`{"folder": …, "module": …}` on standard input. The last line of the output is the answer; what the module prints comes before.
"""

import enum
import importlib
import inspect
import json
import math
import pathlib
import re
import sys
import traceback
import typing

PARAMETERS = {int: "integer", float: "real", str: "string", bool: "boolean"}
SECTION = re.compile(r"^\s*(Args|Arguments|Parameters|Returns|Return|Yields|Raises|Example|Examples|Note|Notes):\s*$")


def without_none(hint):
    """The type beside None, and whether None was there."""
    origin = typing.get_origin(hint)
    is_union = origin is typing.Union or type(hint).__name__ == "UnionType"
    if not is_union:
        return hint, False
    kinds = [kind for kind in typing.get_args(hint) if kind is not type(None)]
    if len(kinds) == 1 and len(kinds) < len(typing.get_args(hint)):
        return kinds[0], True
    return hint, False


def parameter_type(hint):
    """The word of a parameter's type; None for a port."""
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return "category"
    if hint in PARAMETERS:
        return PARAMETERS[hint]
    origin = typing.get_origin(hint) or hint
    return {list: "list", tuple: "tuple", dict: "mapping"}.get(origin)


def type_name(hint):
    if hint is inspect.Parameter.empty or hint is typing.Any:
        return None
    if isinstance(hint, type):
        return f"{hint.__module__}.{hint.__qualname__}"
    return str(hint)


def json_default(value, hint):
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > (1 << 53) - 1:
        return str(value)
    json.dumps(value)
    return list(value) if isinstance(value, tuple) else value


def documented(function):
    """The description, and those of arguments: Google's style and Sphinx's."""
    text = inspect.getdoc(function) or ""
    head, arguments, section, name = [], {}, None, None
    for line in text.splitlines():
        found = SECTION.match(line)
        sphinx = re.match(r"^\s*:param\s+(?:\S+\s+)?(\w+):\s*(.*)$", line)
        if found:
            section, name = found.group(1), None
        elif sphinx:
            section, name = "Args", sphinx.group(1)
            arguments[name] = sphinx.group(2)
        elif re.match(r"^\s*:\w+", line):
            section, name = "other", None
        elif section in ("Args", "Arguments", "Parameters"):
            entry = re.match(r"^\s+(\w+)\s*(?:\([^)]*\))?:\s*(.*)$", line)
            if entry:
                name = entry.group(1)
                arguments[name] = entry.group(2)
            elif name and line.strip():
                arguments[name] += " " + line.strip()
        elif section is None:
            head.append(line)
    return "\n".join(head).strip(), arguments


def described(name, function):
    signature = inspect.signature(function)
    try:
        hints = typing.get_type_hints(function)
    except Exception as error:
        return {"name": name, "fault": f"its annotations cannot be read: {error}"}
    text, arguments = documented(function)
    result = {"name": name, "description": text or None, "parameters": [], "inputs": [], "outputs": []}
    for parameter in signature.parameters.values():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            continue
        if parameter.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.POSITIONAL_ONLY):
            what = "*" + parameter.name if parameter.kind is inspect.Parameter.VAR_POSITIONAL else parameter.name
            return {"name": name, "fault": f"`{what}` cannot be passed by name, as all arguments of operators are"}
        hint, has_none = without_none(hints.get(parameter.name, parameter.empty))
        kind = parameter_type(hint)
        has_default = parameter.default is not parameter.empty
        entry = {"name": parameter.name, "description": arguments.get(parameter.name), "type": kind or type_name(hint)}
        if kind is None:
            entry["optional"] = has_default or has_none
            result["inputs"].append(entry)
            continue
        entry["optional"] = has_none or (has_default and parameter.default is None)
        entry["categories"] = [member.name for member in hint] if kind == "category" else None
        items = typing.get_args(hint)
        if kind == "tuple" and items and Ellipsis not in items:
            entry["min_items"] = entry["max_items"] = 0 if items == ((),) else len(items)
        entry["default"] = None
        if has_default and parameter.default is not None:
            try:
                entry["default"] = json_default(parameter.default, hint)
            except (TypeError, ValueError):
                return {"name": name, "fault": f"the default of `{parameter.name}` is not a value of JSON"}
        result["parameters"].append(entry)
    answer = hints.get("return", signature.return_annotation)
    if answer is type(None) or answer is None:
        kinds = []
    elif typing.get_origin(answer) is tuple:
        kinds = [kind for kind in typing.get_args(answer) if kind is not Ellipsis]
    else:
        kinds = [without_none(answer)[0]]
    for number, kind in enumerate(kinds, 1):
        port = "result" if number == 1 else f"result{number}"
        result["outputs"].append({"name": port, "type": type_name(kind)})
    return result


def operators(module):
    package = module.__name__ + "."
    for name, value in sorted(vars(module).items()):
        if name.startswith("_") or not inspect.isfunction(value):
            continue
        if value.__module__ == module.__name__ or value.__module__.startswith(package):
            yield described(name, value)


def main():
    asked = json.load(sys.stdin)
    sys.path.insert(0, asked["folder"])
    sys.dont_write_bytecode = True
    # The module of hosts, which operators import and nothing here needs.
    api = type(sys)("pydist_operator")
    api.UserError = type("UserError", (Exception,), {})
    api.progress = api.cancelled = lambda *_arguments: None
    sys.modules["pydist_operator"] = api
    try:
        module = importlib.import_module(asked["module"])
        answer = {"operators": list(operators(module))}
    except BaseException as error:
        lines = traceback.extract_tb(error.__traceback__)
        own = [line for line in lines if line.filename.startswith(asked["folder"])]
        place = f" ({pathlib.Path(own[-1].filename).relative_to(asked['folder'])} line {own[-1].lineno})" if own else ""
        answer = {"fault": f"{type(error).__name__}: {error}{place}"}
    sys.stdout.flush()
    print("\n" + json.dumps(answer))


if __name__ == "__main__":
    main()
