"""Names of modules and variables, from the ids of nodes."""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

from torch import fx, nn

_TAKEN = frozenset(dir(nn.Module())) | frozenset(dir(fx.GraphModule)) | {"self"}


def identifier(text: str) -> str:
    """A word that Python takes, as near to the text as can be: ``Op@2[0]`` gives ``Op_2_0``."""
    word = re.sub(r"\W+", "_", unicodedata.normalize("NFKC", text)).strip("_")
    if not word.isascii():
        # Some characters count as word characters in a pattern and not in a name of Python.
        word = "".join(c if f"_{c}".isidentifier() else "_" for c in word).strip("_")
    if not word.isidentifier():
        word = f"_{word}" if word else "x"
    return f"{word}_" if keyword.iskeyword(word) else word


@lru_cache(maxsize=65536)
def module_path(id: str) -> str:
    """The dotted path of a node's module.

    A segment that is a number joins the one before it, so that
    ``Cell@1[3].n[2].0.conv3x3.conv`` gives ``Cell_1_3.n_2_0.conv3x3.conv``. A segment that a
    module has another use for (``double``) gets a line below.
    """
    segments: list[str] = []
    for part in id.split("."):
        if segments and part.isdecimal():
            segments[-1] += f"_{part}"
        else:
            segments.append(identifier(part))
    return ".".join(f"{s}_" if s in _TAKEN else s for s in segments)


@lru_cache(maxsize=65536)
def label(id: str) -> str:
    """A short name for a node's result: the end of its path.

    An end with a number takes the segment before it along, so that the third node of one cell
    is not called what torch.fx would call a copy of the second node of another.
    """
    *before, last = module_path(id).split(".")
    return f"{before[-1]}_{last}" if before and last[-1].isdigit() else last


def arguments(ids: Iterable[str]) -> dict[str, str]:
    """A name for each input of a network, no two equal."""
    given: dict[str, str] = {}
    for id in ids:
        word = identifier(id)
        while word in given.values() or word in ("self", "torch"):
            word += "_"
        given[id] = word
    return given


def module_paths(ids: Iterable[str]) -> dict[str, str]:
    """A path for each id, no two equal, none inside another.

    The path is a function of the id alone except where two clash, so that a node keeps its
    module's name from one network to another.
    """
    paths: dict[str, str] = {}
    taken: set[str] = set()
    groups: set[str] = set()
    copies: Counter[str] = Counter()
    for id in ids:
        wanted = module_path(id)
        if any(parent in taken for parent in _parents(wanted)):
            wanted = wanted.replace(".", "_")
        path = wanted
        while path in taken or path in groups:
            copies[wanted] += 1
            path = f"{wanted}_{copies[wanted] + 1}"
        paths[id] = path
        taken.add(path)
        groups.update(_parents(path))
    return paths


@lru_cache(maxsize=65536)
def _parents(path: str) -> tuple[str, ...]:
    parts = path.split(".")
    return tuple(".".join(parts[:i]) for i in range(1, len(parts)))
