"""The text of classes together with everything of their own package that they use."""

from __future__ import annotations

import ast
import importlib
import inspect
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib.util import resolve_name
from types import ModuleType

from nasdsl.diagnostics import DiagnosticError, problem


def definitions(classes: Iterable[type], reserved: Iterable[str]) -> tuple[set[str], list[str]]:
    """Import lines, and texts of definitions in an order in which they can be executed.

    Classes of torch need no text. Others are followed: what a text names is written too where
    its own package defines it, and imported where another one does. Raises a diagnostic where
    a text is not to be had, or where two definitions want one name.
    """
    closure = _Closure(dict.fromkeys(reserved, "the model file"))
    for cls in classes:
        if _package(cls.__module__) != "torch":
            closure.add(cls.__qualname__, cls.__module__)
    return closure.imports, closure.texts


@dataclass
class _Closure:
    owners: dict[str, str]
    """The module that defines each name."""
    imports: set[str] = field(default_factory=set)
    texts: list[str] = field(default_factory=list)

    def add(self, name: str, module: str) -> None:
        """The definition of a name at the top of a module, what it uses first."""
        if name in self.owners:
            if self.owners[name] != module:
                raise _unwritable(name, f"{self.owners[name]} and {module} both define it")
            return
        self.owners[name] = module
        if "<locals>" in name:
            raise _unwritable(name, "it is defined inside a function")
        source = _source(name, module)
        definition = _definition(name, ast.parse(source))
        if definition is None:
            raise _unwritable(name, f"{module} does not define it at its top")
        for used in sorted(_used(definition) - {name}):
            self.follow(used, module)
        lines = source.splitlines()
        first = min([definition.lineno, *(d.lineno for d in _decorators(definition))])
        self.texts.append("\n".join(lines[first - 1 : definition.end_lineno]))

    def follow(self, name: str, module: str) -> None:
        """What a name means in a module: a definition, an import, or a builtin."""
        tree = ast.parse(_source(name, module))
        if _definition(name, tree) is not None:
            self.add(name, module)
            return
        for statement, alias in _imports(tree):
            bound = alias.asname or alias.name.partition(".")[0]
            if bound != name:
                continue
            written = alias.name + (f" as {alias.asname}" if alias.asname else "")
            if isinstance(statement, ast.Import):
                self.imports.add(f"import {written}")
                return
            package = sys.modules[module].__package__ or ""
            home = resolve_name("." * statement.level + (statement.module or ""), package)
            if _package(home) == _package(module) and not alias.asname:
                self.add(alias.name, importlib.import_module(home).__name__)
            else:
                self.imports.add(f"from {home} import {written}")
            return


def _unwritable(name: str, why: str) -> DiagnosticError:
    return problem("NAS820", f"'{name}' cannot be written into a model file: {why}")


def _package(module: str) -> str:
    return module.partition(".")[0]


def _source(name: str, module: str) -> str:
    home: ModuleType | None = sys.modules.get(module)
    try:
        if home is not None:
            return inspect.getsource(home)
    except (OSError, TypeError):
        pass
    raise _unwritable(name, f"the text of {module} is not to be had")


Definition = ast.ClassDef | ast.FunctionDef | ast.Assign | ast.AnnAssign


def _definition(name: str, tree: ast.Module) -> Definition | None:
    """The last statement at the top of a module that gives a name its value."""
    found: Definition | None = None
    for statement in tree.body:
        if isinstance(statement, ast.ClassDef | ast.FunctionDef):
            names = [statement.name]
        elif isinstance(statement, ast.Assign):
            names = [t.id for t in statement.targets if isinstance(t, ast.Name)]
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            names = [statement.target.id]
        else:
            continue
        if name in names:
            found = statement
    return found


def _decorators(definition: Definition) -> list[ast.expr]:
    if isinstance(definition, ast.ClassDef | ast.FunctionDef):
        return definition.decorator_list
    return []


def _used(definition: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(definition) if isinstance(node, ast.Name)}


def _imports(tree: ast.Module) -> Iterator[tuple[ast.Import | ast.ImportFrom, ast.alias]]:
    for statement in tree.body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            for alias in statement.names:
                yield statement, alias
