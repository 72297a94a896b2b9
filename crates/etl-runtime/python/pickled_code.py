"""Which Python a pickle's code was made for, read without running any of it.

Code of another minor version fails in odd ways or ends the process with a segmentation fault, sometimes at its first
call only. A pickle does not say its version. Its code objects do: Python 3.11 gave them more fields; up to 3.10 the
table of lines shows which of the two wrote it; later versions number and lay out instructions each in their own way,
so that code of one does not read as code of another, unless both say the same.

Everything that a pickle names is replaced by a stand-in while it is read, so nothing of it is imported or called.
"""

import io
import pickle
import sys

# The instruction that every function begins with since 3.11 has other numbers in later versions.
_RESUME = {151: "Python 3.11 or 3.12", 149: "Python 3.13", 128: "Python 3.14"}


class StandIn:
    """Takes any call and any change, and does nothing."""

    def __new__(cls, *_arguments, **_named):
        return object.__new__(StandIn)

    def __init__(self, name="", found=None):
        self.name = name if isinstance(name, str) else ""
        self.found = found

    def __call__(self, *arguments, **_named):
        if self.name.endswith("._builtin_type") and arguments == ("CodeType",):
            return StandIn("CodeType", self.found)
        if self.name in ("CodeType", "types.CodeType", "builtins.code") and self.found is not None:
            self.found.append(arguments)
        return StandIn("", self.found)

    def __setstate__(self, _state):
        pass

    def __setitem__(self, _key, _value):
        pass

    def append(self, _item):
        pass

    def extend(self, _items):
        pass

    add = update = append


# In Python rather than in C: the unpickler in C insists on real classes.
class _Reader(pickle._Unpickler):  # pylint: disable=protected-access
    def __init__(self, file):
        super().__init__(file)
        self.code = []

    def find_class(self, module, name):
        return StandIn(f"{module}.{name}", self.code)

    def get_extension(self, code):
        self.append(StandIn(str(code), self.code))

    def persistent_load(self, _pid):
        return StandIn("", self.code)


def code_of(pickled):
    """The fields of each code object, innermost first."""
    reader = _Reader(io.BytesIO(pickled))
    reader.load()
    found = list(reader.code)
    return [fields for fields in found if len(fields) >= 16]


def check(pickled, refused):
    """Raises `refused` with one line if some code is not for this Python, or if this is no pickle."""
    try:
        found = code_of(pickled)
    except Exception as error:  # pylint: disable=broad-except
        text = " ".join(f"{type(error).__name__}: {error}".split())
        raise refused(f"the class cannot be deserialized: {text}") from None
    here = "Python {}.{}".format(*sys.version_info[:2])
    if sys.version_info < (3, 10) and not all(map(of_3_10, found)):
        # In 3.9 a function that ends with lines nobody reaches looks like one of 3.10; not all of a class do.
        found = [fields for fields in found if not of_3_10(fields)]
    for fields in found:
        if not fits(fields):
            raise refused(
                f"the class was pickled by {maker_of(fields)}, and this runtime has {here} "
                f"(function `{fields[11]}`); use a runtime of the version that pickled it"
            )


def fits(fields):
    if sys.version_info < (3, 11):
        return len(fields) == 16 and of_3_10(fields) == (sys.version_info >= (3, 10))
    return len(fields) == 18 and reads_here(fields[6])


def of_3_10(fields):
    """Among Pythons up to 3.10. Since then each row gives the length of a run of code, and all together are the whole; before, the distance to the
    next line, which leaves the last line out."""
    if len(fields) != 16:
        return False
    code, table = fields[6], fields[13]
    return sum(table[0::2]) == len(code) and len(code) > 0


def reads_here(code):
    """Whether these are instructions of this Python, each followed by its cache, which is empty."""
    import opcode

    known = {number for number in opcode.opmap.values() if number < 256}
    caches = cache_sizes(opcode)
    resume, cache = opcode.opmap["RESUME"], opcode.opmap["CACHE"]
    position, resumed = 0, False
    while position < len(code):
        number = code[position]
        if number not in known or number == cache:
            return False
        resumed = resumed or number == resume
        size = 2 * caches.get(number, 0)
        position += 2
        if any(code[position : position + size]):
            return False
        position += size
    return resumed and position == len(code)


def cache_sizes(opcode):
    """In instructions, by number; each version keeps this table in another form."""
    table = getattr(opcode, "_inline_cache_entries", None)
    if table is None:
        import dis

        table = getattr(dis, "_inline_cache_entries", {})
    if isinstance(table, dict):
        return {opcode.opmap[name]: size for name, size in table.items() if name in opcode.opmap}
    return dict(enumerate(table))


def maker_of(fields):
    if len(fields) == 16:
        return "Python 3.10" if of_3_10(fields) else "Python 3.9 or older"
    for number in fields[6][0:16:2]:
        if number in _RESUME:
            maker = _RESUME[number]
            here = "3.{}".format(sys.version_info[1])
            other = {"3.11": "Python 3.12", "3.12": "Python 3.11"}.get(here)
            return other if number == 151 and other else maker
    return "another Python"
