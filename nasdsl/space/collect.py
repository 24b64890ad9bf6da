"""From statements to a program: what is declared, what stands twice, and what is missing."""

from __future__ import annotations

import re
from collections.abc import Mapping

from nasdsl.diagnostics import Diagnostic, Note, Span
from nasdsl.language import syntax as s
from nasdsl.language.parser import Tree
from nasdsl.operations.operation import Operation
from nasdsl.space.program import Program

_DECLARED = re.compile(
    r"^[ \t]*(?:let|block|choice|cell|op|def|fn|function|module|class)\s+([A-Za-z_]\w*)",
    re.MULTILINE | re.IGNORECASE,
)


def collect(tree: Tree, operations: Mapping[str, Operation]) -> tuple[Program, list[Diagnostic]]:
    """The declarations of a text by name, and which of them clash or are missing."""
    return _Collector(tree, operations).run()


class _Collector:
    def __init__(self, tree: Tree, operations: Mapping[str, Operation]):
        self.tree = tree
        self.operations = operations
        self.program = Program(tree.source)
        self.problems: list[Diagnostic] = []

    def _problem(self, code: str, message: str, span: Span, *notes: Note) -> None:
        self.problems.append(Diagnostic(code, message, span, notes=notes))

    def run(self) -> tuple[Program, list[Diagnostic]]:
        """Every statement in its place."""
        p = self.program
        once: dict[str, s.Syntax] = {}
        read = [(st.span.start, st.span.end) for st in self.tree.statements]
        lost = {
            m.group(1)
            for m in _DECLARED.finditer(self.tree.source.text)
            if not any(a <= m.start(1) < b for a, b in read)
        }
        p.lost = frozenset(lost)
        for st in self.tree.statements:
            if isinstance(st, s.SpaceName):
                if self._once(once, "space", st):
                    p.name, p.doc = st.name.text, st.doc
            elif isinstance(st, s.Port):
                ports = p.input_ports if st.direction == "input" else p.output_ports
                ports.append(st)
            elif isinstance(st, s.Let):
                if self._new(st.name, st):
                    p.lets[st.name.text] = st
            elif isinstance(st, s.Block | s.Choice | s.Cell | s.OperationDeclaration):
                if self._new(st.name, st):
                    p.templates[st.name.text] = st
            elif isinstance(st, s.NetworkBody):
                if self._once(once, "network", st):
                    p.network = st
            elif isinstance(st, s.Require):
                p.requires.append(st)
            elif isinstance(st, s.KeyTemplate):
                if self._once(once, "key", st):
                    p.key = st
            elif isinstance(st, s.Neighborhood):
                if self._once(once, "neighborhood", st):
                    p.neighborhood = st
            elif isinstance(st, s.Settings):
                if self._once(once, st.block, st):
                    p.settings[st.block] = st
            elif isinstance(st, s.Objective) and self._once(once, st.block, st):
                p.goals[st.block] = st
        self._missing()
        return p, self.problems

    def _missing(self) -> None:
        """Tell which statements no text can do without, and does not have."""
        if any(d.code in ("NAS112", "NAS113") for d in self.tree.problems):
            return  # what a text uses and is not found may hold all of them
        p = self.program
        text = self.tree.source.text
        start = Span(self.tree.source, 0, 0)
        for word, present in (
            ("input", p.input_ports),
            ("output", p.output_ports),
            ("network", p.network),
        ):
            begun = re.search(rf"^[ \t]*{word}\b", text, re.MULTILINE) or any(
                d.code == "NAS007" and d.message.endswith(f"did you mean '{word}'?")
                for d in self.tree.problems
            )
            if not present and not begun:
                example = {"input": "input image[3, 32, 32]", "output": "output logits[10]"}.get(
                    word, "network = conv(8, 3) >> global_avgpool >> linear(10)"
                )
                self._problem(
                    "NAS105", f"the text has no '{word}'; write for example: {example}", start
                )
        if len(p.output_ports) > 1:
            self._problem(
                "NAS110",
                "a space has one output",
                p.output_ports[1].span,
                Note("the first stands here", p.output_ports[0].span),
            )

    def _once(self, seen: dict[str, s.Syntax], word: str, st: s.Syntax) -> bool:
        if word in seen:
            self._problem(
                "NAS110",
                f"'{word}' stands here a second time",
                st.span,
                Note("the first stands here", seen[word].span),
            )
            return False
        seen[word] = st
        return True

    def _new(self, name: s.Ident, st: s.Statement) -> bool:
        p = self.program
        if isinstance(st, s.OperationDeclaration) and name.text in self.operations:
            self._problem("NAS102", f"there is already an operation '{name}'", name.span)
            return False
        other = p.lets.get(name.text) or p.templates.get(name.text)
        if other is not None:
            self._problem(
                "NAS102",
                f"'{name}' is declared twice",
                name.span,
                Note("the first declaration stands here", other.name.span),
            )
        return other is None
