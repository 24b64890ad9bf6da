"""Reading a data set from files written by a test, and what goes wrong."""

from pathlib import Path

from nasdsl.training.data import READERS
from nasdsl.training.settings import DataSettings


def settings(source, **more):
    return DataSettings(**({"source": source, "path": "x", "train": None, "noise": 0.0} | more))


def read(source, path, **more):
    return READERS[source](Path(path), settings(source, **more))


def code(error):
    return error.value.diagnostics[0].code


def cut(path, n):
    path.write_bytes(path.read_bytes()[:-n])
