"""Tables as files in the HDF5 form of AI Studio's projects, `.rmhdf5table`. The distribution needs pandas and h5py.

Compared with what the package `rapidminer` 2026.0.2 writes and reads, and with nothing else. A file has the attributes `columns` and
`rows`, and for each column a data set, `a0`, `a1` and so on, with the attributes `name` and `type`.
"""

import pathlib

import h5py
import numpy
import pandas

from pydist_operator import UserError

# In the first place of a nominal column's dictionary, for what is missing.
_MISSING = "NULL"
# Seconds of a time that is missing.
_NEVER = numpy.iinfo("int64").max
# Attributes hold less than 64 KiB; dictionaries of this many values or bytes become data sets.
_MOST_VALUES, _MOST_BYTES = 1000, 16 << 10


def write_table(table: pandas.DataFrame) -> pathlib.Path:
    """Writes a table as `table.rmhdf5table`.

    Args:
        table: Columns of numbers, texts, truth values and times.
    """
    path = pathlib.Path("table.rmhdf5table")
    with h5py.File(path, "w") as file:
        file.attrs["columns"] = numpy.int32(table.shape[1])
        file.attrs["rows"] = numpy.int32(table.shape[0])
        for number, name in enumerate(table.columns):
            column = _write_column(file, number, str(name), table[name])
            column.attrs["name"] = str(name)
    return path


def read_table(file: pathlib.Path) -> pandas.DataFrame:
    """Reads a table.

    Args:
        file: A file that `write_table` or the vendor's package wrote.
    """
    try:
        content = h5py.File(file)
    except OSError as error:
        raise UserError(f"{file.name} is not an HDF5 file: {error}") from None
    with content:
        if "columns" not in content.attrs or "rows" not in content.attrs:
            raise UserError(f"{file.name} is an HDF5 file and holds no table")
        rows, columns = int(content.attrs["rows"]), {}
        for number in range(int(content.attrs["columns"])):
            column = content[f"a{number}"]
            columns[column.attrs["name"]] = _read_column(content, column)
        return pandas.DataFrame(columns, index=pandas.RangeIndex(rows))


def _write_column(file, number, name, series):
    place, kind = f"a{number}", series.dtype
    is_text = isinstance(kind, pandas.CategoricalDtype) or kind == "object" or pandas.api.types.is_string_dtype(kind)
    if pandas.api.types.is_bool_dtype(kind):
        texts = series.astype("object").map({True: "true", False: "false"}, na_action="ignore")
        return _write_texts(file, number, name, texts)
    if is_text:
        return _write_texts(file, number, name, series)
    if pandas.api.types.is_datetime64_any_dtype(kind):
        return _write_times(file, place, series)
    if pandas.api.types.is_integer_dtype(kind) and not series.isna().any():
        return _typed(file.create_dataset(place, data=series.to_numpy("int64")), "Integer")
    if pandas.api.types.is_numeric_dtype(kind):
        # Integers of which some are missing are real numbers, as for numpy.
        return _typed(file.create_dataset(place, data=series.to_numpy("float64", na_value=numpy.nan)), "Real")
    raise UserError(f"column {name!r} has the type {kind}, which such files do not have")


def _typed(column, kind):
    column.attrs["type"] = kind
    return column


def _write_texts(file, number, name, series):
    missing = series.isna()
    values = series.astype("object")
    if not all(isinstance(value, str) for value in values[~missing]):
        raise UserError(f"column {name!r} has values that are not texts, which such files do not have")
    if any("\0" in value for value in values[~missing]):
        raise UserError(f"column {name!r} has a text with a zero byte, which such files do not hold")
    codes, texts = pandas.factorize(values.where(~missing, None))
    width = next(width for width in ("int8", "int16", "int32") if len(texts) <= numpy.iinfo(width).max)
    column = file.create_dataset(f"a{number}", data=(codes + 1).astype(width))
    dictionary = numpy.array([_MISSING, *texts], dtype="object")
    kind = h5py.string_dtype("utf-8")
    if len(dictionary) > _MOST_VALUES or sum(len(text.encode()) for text in dictionary) > _MOST_BYTES:
        column.attrs["dictionary"] = file.create_dataset(f"d{number}", data=dictionary, dtype=kind).ref
    else:
        column.attrs.create("dictionary", dictionary, dtype=kind)
    return _typed(column, "Nominal")


def _write_times(file, place, series):
    times = series if series.dt.tz is None else series.dt.tz_convert("UTC").dt.tz_localize(None)
    missing = times.isna().to_numpy()
    times = times.to_numpy()
    seconds = times.astype("datetime64[s]").astype("int64")
    # What was cut off counts up from the second before.
    rest = (times - times.astype("datetime64[s]")).astype("timedelta64[ns]").astype("int64")
    seconds = numpy.where(missing, _NEVER, seconds - (rest < 0))
    rest = numpy.where(missing, 0, rest % 1_000_000_000).astype("int32")
    column = file.create_dataset(place, data=seconds)
    column.attrs["additional"] = file.create_dataset(f"{place}a", data=rest).ref
    return _typed(column, "Date-Time")


def _read_column(file, column):
    kind, values = column.attrs["type"], column[:]
    if kind == "Integer":
        return pandas.Series(values, dtype="int64") if values.dtype.kind in "iu" else pandas.Series(values).astype("Int64")
    if kind == "Real":
        return pandas.Series(values, dtype="float64")
    if kind == "Nominal":
        dictionary = column.attrs["dictionary"]
        if isinstance(dictionary, h5py.Reference):
            dictionary = file[dictionary].asstr()[:]
        return pandas.Series(pandas.Categorical.from_codes(values.astype("int64") - 1, list(dictionary[1:])))
    if kind == "Date-Time":
        return _read_times(values, file[column.attrs["additional"]][:] if "additional" in column.attrs else 0)
    raise UserError(f"column {column.attrs['name']!r} has the type {kind!r}, which is not known here")


def _read_times(seconds, rest):
    missing = seconds == _NEVER
    seconds, rest = numpy.where(missing, 0, seconds), numpy.where(missing, 0, rest)
    bound = numpy.iinfo("int64").max // 1_000_000_000 - 1
    if len(seconds) and (seconds.min() < -bound or seconds.max() > bound):
        # Nanoseconds do not reach so far.
        times = (seconds * 1_000_000 + rest // 1000).astype("datetime64[us]")
    else:
        times = (seconds * 1_000_000_000 + rest).astype("datetime64[ns]")
    times[missing] = "NaT"
    return pandas.Series(times).dt.tz_localize("UTC")
