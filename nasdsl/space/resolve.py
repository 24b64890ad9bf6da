"""The names of a program: each is declared once and known, and its uses give what it takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from nasdsl.diagnostics import Diagnostic, Note, Span, suggestion
from nasdsl.language import syntax as s
from nasdsl.language.habits import meant
from nasdsl.language.parser import Tree
from nasdsl.operations import lookup
from nasdsl.operations.operation import REQUIRED, Operation
from nasdsl.operations.table import OPERATIONS
from nasdsl.space.collect import collect
from nasdsl.space.functions import FUNCTIONS
from nasdsl.space.program import COMBINING, SPECIAL, Program, Template, read_names
from nasdsl.space.unused import unused

QUANTITIES = (
    "params", "macs", "declared_params", "declared_macs", "count", "edges", "nodes", "depth",
    "activation_memory", "checkpoint_bytes",
)  # fmt: skip
"""Names that a constraint may use beyond those of the text."""

_PADDED = Note("windows are padded so that the size changes by the stride alone")
_JOINED = Note("what a choice joins is named inside a cell or a network { … }: Join(x, y)")


def resolve(
    tree: Tree, operations: Mapping[str, Operation] = OPERATIONS
) -> tuple[Program, list[Diagnostic]]:
    """The program of a text and what is wrong with its names.

    Uses that are wrong are remembered in ``program.bad``, so that working out the program does
    not tell them again.
    """
    return _Resolver(tree, operations).run()


class _Resolver:
    def __init__(self, tree: Tree, operations: Mapping[str, Operation]):
        self.tree = tree
        self.operations = operations
        self.program, self.problems = collect(tree, operations)
        self.mixed = {
            (d.span.start, d.span.end) for d in tree.problems if d.code == "NAS010" and d.span
        }
        """Sums without the parentheses that would say what they mean."""

    def run(self) -> tuple[Program, list[Diagnostic]]:
        """Check every body, then tell what nothing uses."""
        p = self.program
        for let in p.lets.values():
            self._binding(let.binding, set(), let.parameters)
        for template in p.templates.values():
            self._template(template)
        if p.network is not None:
            self._body(p.network.body, p.network.where, set())
            self._whole_space(p.network)
        for require in p.requires:
            self._expr(require.condition, self._decisionread_names(), tensors=frozenset())
        for edit in p.neighborhood.edits if p.neighborhood is not None else ():
            if edit.where is not None:
                self._expr(edit.where, self._decisionread_names(), tensors=frozenset())
        for port in (*p.input_ports, *p.output_ports):
            for dimension in port.dimensions:
                self._expr(dimension.size, set(), frozenset())
        # What a statement that could not be read uses is not known.
        unread = any(d.severity == "error" for d in self.tree.problems)
        return p, [*self.problems, *([] if unread else unused(p))]

    def _problem(self, code: str, message: str, span: Span, *notes: Note) -> None:
        self.problems.append(Diagnostic(code, message, span, notes=notes))

    # ---- bodies

    def _parameters(self, parameters: Iterable[s.Parameter], names: set[str]) -> set[str]:
        seen: dict[str, s.Parameter] = {}
        for parameter in parameters:
            if parameter.default is not None:
                self._expr(parameter.default, names | set(seen), frozenset())
            if parameter.name.text in seen:
                self._problem(
                    "NAS102", f"the parameter '{parameter.name}' stands twice", parameter.span
                )
            seen[parameter.name.text] = parameter
        return set(seen)

    def _template(self, template: Template) -> None:
        names = self._parameters(template.parameters, set())
        if isinstance(template, s.OperationDeclaration):
            sizes = {
                r.name
                for dimensions in template.inputs
                for d in dimensions
                for r in d.size.walk()
                if isinstance(r, s.Ref)
            }
            outputs = [d.size for d in template.output]
            for expr in (template.params, template.macs, *outputs):
                if expr is not None:
                    self._expr(expr, names | sizes, frozenset())
            return
        if isinstance(template, s.Choice):
            inner = self._wheres(template.where, names)
            if template.recursion is not None:
                self._expr(template.recursion, names, frozenset())
            seen: dict[str, s.Ident] = {}
            for alternative in template.alternatives:
                if alternative.name.text in seen:
                    self._problem(
                        "NAS102",
                        f"the alternative '{alternative.name}' stands twice",
                        alternative.name.span,
                        Note("the first stands here", seen[alternative.name.text].span),
                    )
                seen[alternative.name.text] = alternative.name
                self._expr(alternative.body, inner, frozenset())
                if alternative.guard is not None:
                    self._expr(alternative.guard, inner, frozenset())
            self._unbounded(template)
        elif isinstance(template, s.Block):
            self._expr(template.body, self._wheres(template.where, names), frozenset())
            if template.name.text in self.program.deep(template.body) and not self._through_choice(
                template
            ):
                self._problem(
                    "NAS106",
                    f"the block '{template.name}' uses itself; only a 'choice … recursion n' may",
                    template.name.span,
                )
                self.program.bad |= {
                    id(r)
                    for r in template.body.walk()
                    if isinstance(r, s.Ref) and r.name == template.name.text
                }
        else:
            self._body(template.graph, template.where, names)

    def _through_choice(self, block: s.Block) -> bool:
        """Whether a block comes back to itself only through a bounded choice."""
        seen: set[str] = set()
        todo = list(self.program.reads(block.name.text))
        while todo:
            name = todo.pop()
            if name == block.name.text:
                return False
            found = self.program.templates.get(name)
            if name in seen or (isinstance(found, s.Choice) and found.recursion is not None):
                continue
            seen.add(name)
            todo.extend(self.program.reads(name))
        return True

    def _unbounded(self, choice: s.Choice) -> None:
        if choice.recursion is None and choice.name.text in self.program.deep(choice):
            back = [a for a in choice.alternatives if self.program.recursive(choice, a)]
            if back:
                self._problem(
                    "NAS106",
                    f"the alternative '{back[0].name}' leads back to '{choice.name}'; bound it: "
                    f"choice {choice.name}(…) recursion 4 = …",
                    back[0].name.span,
                )
                for a in back:
                    self.program.bad |= {id(r) for r in a.body.walk() if isinstance(r, s.Ref)}

    def _whole_space(self, network: s.NetworkBody) -> None:
        """What the network declares is of the whole space, as a ``let`` at the top is."""
        inside = (
            [let.binding for let in network.body.lets] if isinstance(network.body, s.Graph) else []
        )
        for binding in (*network.where, *inside):
            let = self.program.lets.get(binding.name.text)
            if let is not None:
                self._problem(
                    "NAS102",
                    f"'{binding.name}' is declared twice for the whole space",
                    binding.name.span,
                    Note("the first declaration stands here", let.name.span),
                )

    def _wheres(self, bindings: Iterable[s.Binding], names: set[str]) -> set[str]:
        inner = set(names)
        for binding in bindings:
            self._binding(binding, inner)
            self._fresh(binding.name, inner)
            inner.add(binding.name.text)
        return inner

    def _fresh(self, name: s.Ident, names: set[str], what: str = "") -> None:
        """A name declared inside a declaration must not stand there already."""
        if name.text in names:
            self._problem(
                "NAS102", f"'{name}' is already a name in this declaration{what}", name.span
            )

    def _binding(
        self, binding: s.Binding, names: set[str], parameters: tuple[s.Parameter, ...] | None = None
    ) -> None:
        inner = set(names) | self._parameters(parameters or (), names)
        for index in binding.indices:
            self._expr(index.source, inner, frozenset())
            inner.add(index.name.text)
        self._expr(binding.source, inner, frozenset())

    def _body(self, body: s.Expr | s.Graph, where: tuple[s.Binding, ...], names: set[str]) -> None:
        inner = self._wheres(where, names)
        if isinstance(body, s.Expr):
            self._expr(body, inner, frozenset())
            return
        inner = self._wheres([let.binding for let in body.lets], inner)
        parts: list[s.GraphPort | s.NodeEquation] = [*body.inputs, *body.nodes]
        places = {part.name.text: part.name for part in parts}
        for name, ident in places.items():
            self._fresh(ident, inner)
            if isinstance(self.program.templates.get(name), s.Cell):
                self._problem("NAS102", f"'{name}' is already the name of a cell", ident.span)
        tensors = frozenset(
            {port.name.text for port in body.inputs} | {node.name.text for node in body.nodes}
        )
        for port in body.inputs:
            if port.number is not None:
                self._expr(port.number, inner, frozenset())
        for node in body.nodes:
            local = set(inner)
            for index in node.indices:
                self._expr(index.source, local, frozenset())
                local.add(index.name.text)
            if node.number is not None:
                self._expr(node.number, inner, frozenset())
            self._expr(node.body, local, tensors)
        for output in body.outputs:
            self._expr(output, inner, tensors)

    def _decisionread_names(self) -> set[str]:
        """What a constraint may name: values chosen anywhere, alternatives, cells."""
        names = {*QUANTITIES, *self.program.labels}
        for st in self.tree.statements:
            for part in st.walk():
                if isinstance(part, s.Binding | s.Cell | s.Choice):
                    names.add(part.name.text)
        return names

    # ---- expressions

    def _expr(self, expr: s.Syntax, names: set[str], tensors: frozenset[str]) -> None:
        if isinstance(expr, s.Terms) and (expr.span.start, expr.span.end) in self.mixed:
            self.program.bad.add(id(expr))
        if isinstance(expr, s.Ref):
            self._ref(expr, names, tensors)
            return
        if isinstance(expr, s.Argument | s.Collection) and expr.clauses:
            inner = set(names)
            for clause in expr.clauses:
                self._expr(clause.source, inner, tensors)
                inner.add(clause.variable.text)
                if clause.condition is not None:
                    self._expr(clause.condition, inner, tensors)
            self._expr(expr.value if isinstance(expr, s.Argument) else expr.item, inner, tensors)
            return
        if isinstance(expr, s.Call):
            self._call(expr, names, tensors)
        for child in expr.children():
            if isinstance(expr, s.Call) and isinstance(child, s.Argument):
                self._argument(expr, child, names, tensors)
            else:
                self._expr(child, names, tensors)

    def _argument(
        self, call: s.Call, argument: s.Argument, names: set[str], tensors: frozenset[str]
    ) -> None:
        """A word given to a setting of an operation that takes words is no name."""
        if (
            isinstance(call.callee, s.Ref)
            and isinstance(argument.value, s.Ref)
            and argument.value.name not in names
            and argument.value.name not in self.program.lets
        ):
            operation = self.operations.get(call.callee.name)
            if operation is not None and call.callee.name not in self.program.templates:
                parameter = None
                if argument.name is not None:
                    parameter = next(
                        (p for p in operation.parameters if p.name == argument.name.text), None
                    )
                else:
                    at = call.arguments.index(argument)
                    parameter = operation.parameters[at] if at < len(operation.parameters) else None
                if parameter is not None and parameter.kind == "name":
                    return
        self._expr(argument, names, tensors)

    def _ref(self, ref: s.Ref, names: set[str], tensors: frozenset[str]) -> None:
        name = ref.name
        p = self.program
        if (
            name in names
            or name in tensors
            or name in p.lets
            or name in p.templates
            or name in self.operations
            or name in SPECIAL
            or name in FUNCTIONS
            or name in ("sum", "cin")
        ):
            return
        if name not in p.lost and lookup(name) is not None:
            return  # an installed package offers it
        p.bad.add(id(ref))
        if name in p.lost:
            return
        known = [*names, *tensors, *p.lets, *p.templates, *self.operations, *SPECIAL, "sum", "cin"]
        if names.issuperset(QUANTITIES):  # a condition: operations stand for nothing there
            known = [*names, *p.lets, *FUNCTIONS]
        notes = self._elsewhere(name)
        self._problem("NAS101", f"unknown name '{name}'{meant(name, known)}", ref.span, *notes)

    def _elsewhere(self, name: str) -> tuple[Note, ...]:
        """Where a name is chosen that is not known at its place."""
        templates = self.program.templates.values()
        network = self.program.network
        places = [(network.where, "the network")] if network is not None else []
        places += [
            (t.where, f"'{t.name}'") for t in templates if not isinstance(t, s.OperationDeclaration)
        ]
        for where, owner in places:
            for binding in where:
                if binding.name.text == name:
                    message = (
                        f"'{name}' is chosen here, which only {owner} sees; hand it on as a "
                        f"parameter, or write 'let {name} in …' for all to see"
                    )
                    return (Note(message, binding.span),)
        return ()

    def _call(self, call: s.Call, names: set[str], tensors: frozenset[str]) -> None:
        if not isinstance(call.callee, s.Ref) or call.callee.name in names:
            return
        name = call.callee.name
        template = self.program.templates.get(name)
        let = self.program.lets.get(name)
        required: list[str]
        if template is not None:
            required = [q.name.text for q in template.parameters if q.default is None]
            known = [q.name.text for q in template.parameters]
            if tensors and any(read_names(a.value) & tensors for a in call.arguments):
                if required:
                    needed = ", ".join(required)
                    self._problem(
                        "NAS103",
                        f"'{name}' is applied to a tensor without its parameters; "
                        f"write {name}({needed})(…)",
                        call.span,
                        *self._declared(name),
                    )
                    self.program.bad.add(id(call))
                return
        elif let is not None and let.parameters is not None:
            required = [q.name.text for q in let.parameters if q.default is None]
            known = [q.name.text for q in let.parameters]
        elif name in self.operations and name not in COMBINING and let is None:
            if tensors and any(read_names(a) & tensors for a in call.arguments):
                return
            parameters = self.operations[name].parameters
            required = [q.name for q in parameters if q.default is REQUIRED]
            known = [q.name for q in parameters]
        else:
            return
        positional = [a for a in call.arguments if a.name is None]
        wrong = len(self.problems)
        if len(positional) > len(known) and not any(a.clauses for a in call.arguments):
            takes = (
                f"{len(known)} value{'' if len(known) == 1 else 's'} ({', '.join(known)})"
                if known
                else "no values"
            )
            self._problem(
                "NAS103",
                f"'{name}' takes {takes}, found {len(call.arguments)}",
                positional[len(known)].span,
                *self._declared(name),
                *([_JOINED] if isinstance(template, s.Choice) and not known else []),
            )
        given = set(known[: len(positional)])
        for argument in call.arguments:
            if argument.name is None:
                continue
            word = argument.name.text
            if word not in known:
                takes = f"; it takes {', '.join(known)}" if known else "; it takes none"
                self._problem(
                    "NAS104",
                    f"'{name}' has no parameter '{word}'{suggestion(word, known) or takes}",
                    argument.name.span,
                    *self._declared(name),
                    *([_PADDED] if word in ("padding", "pad") else []),
                )
            elif word in given:
                self._problem("NAS104", f"'{word}' of '{name}' is given twice", argument.span)
            given.add(word)
        missing = [r for r in required if r not in given]
        if missing and wrong == len(self.problems):
            listed = " and ".join(f"'{m}'" for m in missing)
            self._problem(
                "NAS103", f"'{name}' needs a value for {listed}", call.span, *self._declared(name)
            )
        if wrong < len(self.problems):
            self.program.bad.add(id(call))

    def _declared(self, name: str) -> tuple[Note, ...]:
        found = self.program.templates.get(name) or self.program.lets.get(name)
        return (Note(f"'{name}' is declared here", found.name.span),) if found else ()
