"""``use``: another file brought in, with what the using file replaces."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from nasdsl.diagnostics import Diagnostic, Note, Source, nearest
from nasdsl.language import syntax as s
from nasdsl.language.grammar import data_folder
from nasdsl.language.parser import Tree, parse

MAX_FILES = 50


@dataclass(frozen=True)
class Imported:
    """A tree with everything it uses brought in.

    ``files`` are the texts that were used, by their path relative to the using file; shipped
    spaces are not among them.
    """

    tree: Tree
    files: tuple[tuple[str, str], ...]


def bring_in(tree: Tree) -> Imported:
    """The statements of a text after those it uses.

    A statement of the using text takes the place of one of the same kind and name in a used
    text; constraints add up. A used file lies in the folder tree of the text that uses it, or
    is one of the shipped spaces; nothing else is read.
    """
    base = Path(tree.source.name).parent if Path(tree.source.name).is_file() else None
    reader = _Reader(base.resolve() if base is not None else None)
    trail = () if base is None else (Path(tree.source.name).resolve(),)
    statements = reader.statements(tree, base, trail)
    problems = (*tree.problems, *reader.problems)
    merged = replace(tree, statements=tuple(statements), problems=problems)
    return Imported(merged, tuple(reader.files.items()))


class _Reader:
    def __init__(self, root: Path | None) -> None:
        self.root = root
        self.count = 0
        self.problems: list[Diagnostic] = []
        self.files: dict[str, str] = {}

    def statements(
        self, tree: Tree, base: Path | None, trail: tuple[Path, ...]
    ) -> list[s.Statement]:
        used: list[s.Statement] = []
        own = [st for st in tree.statements if not isinstance(st, s.Use)]
        for st in tree.statements:
            if not isinstance(st, s.Use):
                continue
            path = self._find(st, base)
            if path is None:
                continue
            wrong = self._endless(st, path, trail)
            if wrong is not None:
                self.problems.append(Diagnostic("NAS113", wrong, st.span))
                continue
            try:
                text = path.read_text(encoding="utf-8", errors="replace")
            except OSError as error:
                message = f"'{st.path.value}' cannot be read: {error.strerror}"
                self.problems.append(Diagnostic("NAS112", message, st.path.span))
                continue
            self.count += 1
            if self.root is not None and path.is_relative_to(self.root):
                self.files[str(path.relative_to(self.root))] = text
            inner = parse(Source(str(path), text))
            if inner.problems:
                self.problems += [
                    replace(p, notes=(*p.notes, Note("used here", st.span))) for p in inner.problems
                ]
            below = self.statements(inner, path.parent, (*trail, path))
            used = _replaced(used, below)
        return _replaced(used, own)

    def _endless(self, use: s.Use, path: Path, trail: tuple[Path, ...]) -> str | None:
        """Why a text is not read, where reading it would lead round in a circle or too far."""
        name = use.path.value
        if path in trail:
            return f"'{name}' uses itself in the end; leave one 'use' of the circle out"
        if len(self.files) >= MAX_FILES:
            return f"'{name}' is one text too many; a text uses at most {MAX_FILES} others"
        return None

    def _find(self, use: s.Use, base: Path | None) -> Path | None:
        name = use.path.value
        shipped = data_folder("spaces").resolve()
        roots = [shipped] if base is None else [base.resolve(), shipped]
        for root in roots:
            try:
                path = (root / name).resolve()
                if path.is_relative_to(root) and path.is_file():
                    return path
            except (OSError, ValueError):  # no path at all: too long, or with a NUL in it
                continue
        known = sorted(p.name for root in roots for p in root.glob("*.nas"))
        near = nearest(name, known)
        outside = name.startswith("/") or ".." in Path(name).parts
        message = (
            f"'{name}' lies outside the folder of this file"
            if outside
            else f"there is no file '{name}' beside this one and no shipped space of that name"
        )
        if near:
            message += f"; did you mean '{near}'?"
        self.problems.append(Diagnostic("NAS112", message, use.path.span))
        return None


def _identity(st: s.Statement) -> tuple[str, str] | None:
    """What a statement takes the place of; none for those that add up."""
    if isinstance(st, s.Require):
        return None
    if isinstance(st, s.Let | s.Block | s.Choice | s.Cell | s.OperationDeclaration):
        return "name", st.name.text
    if isinstance(st, s.Port):
        return st.direction, ""
    if isinstance(st, s.Settings | s.Objective):
        return st.block, ""
    return type(st).__name__, ""


def _replaced(used: list[s.Statement], own: list[s.Statement]) -> list[s.Statement]:
    """Used statements without those that are replaced, then the others in the place of both."""
    taken: dict[tuple[str, str], s.Statement] = {}
    for st in own:
        key = _identity(st)
        if key is not None:
            taken.setdefault(key, st)
    # A replacement stands where the replaced one stood, so that the order of choices is kept.
    merged = [taken.get(key, st) if (key := _identity(st)) else st for st in used]
    placed = {id(st) for st in merged}
    seen: set[int] = set()
    unique = []
    for st in merged:
        if id(st) not in seen:
            unique.append(st)
        seen.add(id(st))
    return [*unique, *(st for st in own if id(st) not in placed)]
