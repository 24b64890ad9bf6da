"""The declarations of a text by name, and what each of them reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from nasdsl.diagnostics import Source
from nasdsl.language import syntax as s
from nasdsl.operations.table import OPERATIONS

SPECIAL = ("maybe", "optional", "chain")
BUILT_IN_LABELS = {"maybe": ("without", "with"), "optional": ("off", "on")}
COMBINING = ("add", "mul", "concat", "first", "mean", "sum")

Template = s.Block | s.Choice | s.Cell | s.OperationDeclaration


@dataclass
class Program:
    """One text and what it declares. Built by :func:`nasdsl.space.resolve.resolve`."""

    source: Source
    name: str = "space"
    doc: str = ""
    input_ports: list[s.Port] = field(default_factory=list)
    output_ports: list[s.Port] = field(default_factory=list)
    lets: dict[str, s.Let] = field(default_factory=dict)
    templates: dict[str, Template] = field(default_factory=dict)
    network: s.NetworkBody | None = None
    requires: list[s.Require] = field(default_factory=list)
    key: s.KeyTemplate | None = None
    neighborhood: s.Neighborhood | None = None
    settings: dict[str, s.Settings] = field(default_factory=dict)
    goals: dict[str, s.Objective] = field(default_factory=dict)
    lost: frozenset[str] = frozenset()
    """Names declared in statements that could not be read."""
    bad: set[int] = field(default_factory=set)
    """Uses (by ``id``) whose mistake has been told already."""

    _deep: dict[int, frozenset[str]] = field(default_factory=dict, repr=False)
    _reads: dict[str, frozenset[str]] = field(default_factory=dict, repr=False)

    def names(self) -> list[str]:
        """Every name that an expression may use, for suggestions."""
        return [*self.lets, *self.templates, *OPERATIONS, *SPECIAL, "sum", "cin"]

    def where(self, template: Template | s.NetworkBody) -> tuple[s.Binding, ...]:
        """The bindings after ``where``."""
        return () if isinstance(template, s.OperationDeclaration) else template.where

    def deep(self, expr: s.Syntax) -> frozenset[str]:
        """Every name that an expression reads, also through templates and ``let``s."""
        found = self._deep.get(id(expr))
        if found is None:
            found = self._closure(read_names(expr))
            self._deep[id(expr)] = found
        return found

    def _closure(self, names: frozenset[str]) -> frozenset[str]:
        seen: set[str] = set()
        todo = list(names)
        while todo:
            name = todo.pop()
            if name in seen:
                continue
            seen.add(name)
            todo.extend(self.reads(name))
        return frozenset(seen)

    def reads(self, name: str) -> frozenset[str]:
        """The names that one declaration reads itself."""
        found = self._reads.get(name)
        if found is None:
            declared: s.Syntax | None = self.templates.get(name) or self.lets.get(name)
            found = read_names(declared) if declared is not None else frozenset()
            self._reads[name] = found
        return found

    @cached_property
    def labels(self) -> dict[str, list[str]]:
        """The choices that have an alternative of a name, ``maybe`` and ``optional`` among them."""
        found: dict[str, list[str]] = {}
        for name, template in self.templates.items():
            if isinstance(template, s.Choice):
                for alternative in template.alternatives:
                    found.setdefault(alternative.name.text, []).append(name)
        roots: list[s.Syntax] = [*self.lets.values(), *self.templates.values()]
        if self.network is not None:
            roots.append(self.network)
        read = frozenset[str]().union(*(read_names(root) for root in roots))
        for name, words in BUILT_IN_LABELS.items():
            for word in words if name in read else ():
                found.setdefault(word, []).append(name)
        return found

    def recursive(self, choice: s.Choice, alternative: s.Alternative) -> bool:
        """Whether an alternative leads back to its choice."""
        return choice.name.text in self.deep(alternative.body)

    def choices_of_space(self) -> list[s.Let]:
        """The ``let``s that are choices, in the order of the text."""
        return [let for let in self.lets.values() if let.binding.decides]


def read_names(part: s.Syntax) -> frozenset[str]:
    """Every name in a part of a text, bound or free."""
    return frozenset(node.name for node in part.walk() if isinstance(node, s.Ref))
