"""Random small programs: most of them right, many wrong on purpose in their shapes."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

HEADER = "input image[{channels}, {size}, {size}]\noutput logits[3]\n"


def examples(number: int) -> settings:
    """So many programs, the same in every run; NASDSL_PROGRAMS asks for so many new ones."""
    asked = os.environ.get("NASDSL_PROGRAMS")
    return settings(
        max_examples=int(asked or number),
        derandomize=asked is None,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


@dataclass
class Names:
    """What a piece of text may use."""

    numbers: list[str] = field(default_factory=list)
    truths: list[str] = field(default_factory=list)
    modules: list[str] = field(default_factory=list)
    families: list[tuple[str, list[int]]] = field(default_factory=list)
    labels: list[tuple[str, list[int]]] = field(default_factory=list)


class Writer:
    """Writes one program with the draws of hypothesis."""

    def __init__(self, draw: Any):
        self.draw = draw
        self.budget = 7
        self.templates: list[tuple[str, list[str]]] = []
        self.choices: list[tuple[str, list[str]]] = []
        self.cells: list[tuple[str, list[str]]] = []
        self.recursive: str | None = None
        self.lets = Names()
        self.functions: list[str] = []

    # ---- draws

    def number(self, low: int, high: int) -> int:
        return self.draw(st.integers(low, high))

    def pick(self, *options: Any) -> Any:
        return self.draw(st.sampled_from(options))

    def chance(self, percent: int) -> bool:
        return self.number(1, 100) <= percent

    def spend(self, cost: int = 1) -> bool:
        """Whether another decision fits; every one costs."""
        if self.budget < cost:
            return False
        self.budget -= cost
        return True

    # ---- values

    def width(self, names: Names, cin: bool = True) -> str:
        forms = ["2", "4", "4", "4"]
        if cin:
            forms += ["cin", "cin", "2 * cin"]
        forms += names.numbers * 2
        forms += [f"{f}[{self.pick(*i)}]" for f, i in names.families if i]
        forms += [f"{f}({n})" for f in self.functions for n in ["2", *names.numbers][:1]]
        return self.pick(*forms)

    def domain(self) -> str:
        return self.pick("{2, 4}", "{4, 2}", "1..2", "{4}", "2..4 step 2", "{2 * i for i in 1..2}")

    def condition(self, names: Names) -> str:
        forms = ["true", "1 < 2", "2 in {1, 3}"]
        forms += [f"{n} {o} 2" for n in names.numbers for o in ("==", ">", "!=")]
        forms += [f"{n} in 1..3" for n in names.numbers]
        forms += names.truths * 2 + [f"not {t}" for t in names.truths]
        return self.pick(*forms)

    # ---- modules

    def module(self, names: Names, depth: int = 2) -> str:
        """A module of one input, in parentheses where it needs them."""
        kind = self.number(0, 23)
        if depth <= 0 or kind < 7:
            return self.simple(names)
        if kind < 10 and self.templates:
            return self.use(names, depth)
        if kind == 10 and self.lets.labels:
            family, indices = self.pick(*self.lets.labels)
            return f"{family}[{self.pick(*indices)}]({self.width(names)})"
        if kind < 13:
            return f"({self.module(names, depth - 1)} >> {self.module(names, depth - 1)})"
        if kind < 15:
            sign = self.pick("+", "+", "++")
            first = self.pick("identity", "identity", self.module(names, depth - 1))
            return f"({first} {sign} {self.module(names, depth - 1)})"
        if kind == 15:
            if names.numbers and self.templates and self.spend(2):
                return f"({self.use(names, depth)} * {self.pick(*names.numbers)})"
            count = self.pick("2", "1", "0", "3", *names.numbers)
            return f"({self.module(names, 0 if self.budget < 3 else depth - 1)} * {count})"
        if kind == 16:
            inner = Names([*names.numbers, "i"], names.truths, names.modules, names.families)
            bound = self.pick("1..2", "0..1", "{1, 3}", "1..2 if i > 1")
            return f"chain({self.module(inner, depth - 1)} for i in {bound})"
        if kind == 17 and self.spend():
            return f"maybe({self.module(names, depth - 1)})"
        if kind == 18 and self.spend():
            return f"(identity + optional({self.module(names, depth - 1)}))"
        if kind == 19:
            one, other = self.module(names, depth - 1), self.module(names, depth - 1)
            return f"(if {self.condition(names)} then {one} else {other})"
        if kind == 20:
            inner = Names([*names.numbers, "i"], names.truths, names.modules, names.families)
            bound = self.pick("1..2", "{2, 4}", "2..1")
            if self.spend(2):
                bound = self.pick(bound, "pick 1 of 1..2", "some of {2, 4}", "pick 2 of 1..3")
            return f"{self.pick('sum', 'concat', 'add')}({self.module(inner, 1)} for i in {bound})"
        if kind == 21:
            return f"mul({self.module(names, depth - 1)}, {self.module(names, depth - 1)})"
        if kind == 22 and names.modules:
            return self.pick(*names.modules)
        return self.simple(names)

    def simple(self, names: Names) -> str:
        kind = self.number(0, 15)
        if kind < 5:
            return f"conv({self.width(names)}, {self.pick(1, 3)})"
        if kind == 5:
            return f"conv(4, 3, stride={self.pick('2', *names.numbers)})"
        if kind == 6:
            return f"conv(cin, 1, bias={self.pick('false', 'true', *names.truths)})"
        return self.pick(
            "relu", "relu", "identity", "bn", "zero", "avgpool(3, stride=1)", "maxpool(2)",
            "sigmoid", "dropout(0.5)", "add",
        )  # fmt: skip

    def use(self, names: Names, depth: int) -> str:
        name, parameters = self.pick(*self.templates)
        if any(name == c for c, _ in [*self.choices, *self.cells]) and not self.spend():
            return self.simple(names)
        values = []
        for parameter in parameters:
            if parameter == "m":
                values.append(self.module(names, depth - 1))
            elif parameter == "t":
                values.append(self.pick("true", "false", *names.truths))
            else:
                values.append(self.width(names))
        if values and self.chance(20):
            values[-1] = f"{parameters[-1]}={values[-1]}"
        return f"{name}({', '.join(values)})" if values else name

    # ---- statements

    def where(self, names: Names) -> str:
        lines = []
        for _ in range(self.pick(0, 0, 0, 1, 1, 2)):
            kind = self.number(0, 9)
            if kind < 5 and self.spend():
                name = f"x{len(names.numbers)}"
                lines.append(f"{name} in {self.domain()}")
                names.numbers.append(name)
            elif kind == 5 and self.spend():
                name = f"b{len(names.truths)}"
                lines.append(f"{name} in {{false, true}}")
                names.truths.append(name)
            elif kind < 8:
                name = f"y{len(names.numbers)}"
                value = self.pick("3", *[f"{n} + 1" for n in names.numbers])
                lines.append(f"{name} = {value}")
                names.numbers.append(name)
            elif self.spend(2):
                name = f"w{len(names.families)}"
                lines.append(f"{name}[i in 1..2] in {self.domain()}")
                names.families.append((name, [1, 2]))
        return ("\n  where " + "\n        ".join(lines)) if lines else ""

    def parameters(self) -> list[str]:
        return list(self.pick([], ["c"], ["c"], ["c", "t"], ["m"], ["c", "m"]))

    def inside(self, parameters: list[str]) -> Names:
        return Names(
            [*self.lets.numbers, *(p for p in parameters if p == "c")],
            [*self.lets.truths, *(p for p in parameters if p == "t")],
            [p for p in parameters if p == "m"],
            list(self.lets.families),
        )

    def block(self, name: str) -> str:
        parameters = self.parameters()
        names = self.inside(parameters)
        where = self.where(names)
        body = self.module(names)
        if self.chance(50):
            body = f"{body} >> {self.module(names, 1)}"
        self.templates.append((name, parameters))
        written = f"({', '.join(parameters)})" if parameters else ""
        return f"block {name}{written} = {body}{where}\n"

    def choice(self, name: str) -> str:
        parameters = self.pick([], ["c"], ["c", "t"])
        names = self.inside(parameters)
        where = self.where(names) if self.chance(20) else ""
        lines = []
        for label in ("a", "b", "d")[: self.number(1, 3)]:
            guard = f" when {self.condition(names)}" if self.chance(25) else ""
            lines.append(f"  | {label} = {self.module(names, 1)}{guard}")
        recursion = ""
        if self.recursive is None and self.chance(25):
            self.recursive = name
            recursion = f" recursion {self.number(1, 2)}"
            call = f"{name}({', '.join(parameters)})" if parameters else name
            body = self.pick(f"relu >> {call}", f"{call} >> {call}", f"identity + {call}")
            lines.append(f"  | r = {body}")
        self.templates.append((name, parameters))
        self.choices.append((name, parameters))
        written = f"({', '.join(parameters)})" if parameters else ""
        return f"choice {name}{written}{recursion} =\n" + "\n".join(lines) + f"{where}\n"

    def cell(self, name: str) -> str:
        parameters = self.pick([], ["c"])
        names = self.inside(parameters)
        where = self.where(names) if self.chance(25) else ""
        last = self.number(1, 2)
        if self.spend(2):
            source = self.pick("0..j-1", "0..j-1", "pick 1 of 0..j-1", "0..j if i != j")
        else:
            source = "0..j-1"
        item = f"({self.module(names, 1)})(n[i])" if self.chance(80) else "n[i]"
        if item.startswith("(add)"):
            item = "relu(n[i])"
        joined = self.pick("sum", "sum", "concat")
        lines = [f"  node   n[j in 1..{last}] = {joined}({item} for i in {source})"]
        if self.chance(30):
            lines.append(f"  node   e = ({self.module(names, 1)})(n[0]) + n[{last}]")
            lines.append("  output e")
        else:
            lines.append(f"  output {self.pick(f'n[{last}]', f'concat(n[0..{last}])')}")
        self.templates.append((name, parameters))
        self.cells.append((name, parameters))
        written = f"({', '.join(parameters)})" if parameters else ""
        body = "\n".join(["  input  n[0]", *lines])
        return f"cell {name}{written} {{\n{body}\n}}{where}\n"

    def let(self, number: int) -> str:
        kind = self.number(0, 6)
        name = f"g{number}"
        if kind < 2 and self.spend():
            self.lets.numbers.append(name)
            return f"let {name} in {self.domain()}\n"
        if kind == 2 and self.spend(2):
            self.lets.families.append((name, [1, 2]))
            return f"let {name}[i in 1..2] in {self.domain()}\n"
        if kind == 3:
            value = self.pick("4", "2 + 2", "8 / 2", *[f"{n} * 2" for n in self.lets.numbers])
            self.lets.numbers.append(name)
            return f"let {name} = {value}\n"
        if kind == 4:
            self.functions.append(name)
            return f"let {name}(x) = {self.pick('x + 2', 'if x > 2 then 4 else x', '2 * x')}\n"
        if kind == 5 and self.choices and self.spend(2):
            choice, parameters = self.pick(*self.choices)
            if parameters == ["c"] and choice != self.recursive:
                self.lets.labels.append((name, [1, 2]))
                return f"let {name}[j in 1..2] in {choice}\n"
        return ""

    def program(self) -> str:
        out = HEADER.format(channels=self.pick(1, 2, 4), size=self.pick(4, 6))
        for number in range(self.pick(0, 1, 2)):
            out += self.let(number)
        for number in range(self.number(1, 3)):
            kind = self.pick(self.block, self.choice, self.choice, self.cell)
            out += kind(f"T{number}")
        for number in range(self.pick(0, 0, 1)):
            out += self.let(7 + number)
        names = self.inside([])
        names.labels = list(self.lets.labels)
        where = self.where(names)
        end = self.pick(*["global_avgpool >> linear(3)"] * 8, "linear(3)", "global_avgpool")
        if self.chance(25):
            lines = [
                "  input image",
                f"  node a = ({self.module(names)})(image)",
                f"  node b = ({self.module(names)})(a)",
                f"  output ({end})({self.pick('b', 'a + b', 'concat(a, b)', 'b')})",
            ]
            return out + "network {\n" + "\n".join(lines) + "\n}" + where + "\n"
        modules = [self.module(names) for _ in range(self.number(1, 4))]
        return out + f"network = {' >> '.join([*modules, end])}{where}\n"


@st.composite
def programs(draw: Any) -> str:
    """Texts of small programs without mistakes in names or in syntax."""
    return Writer(draw).program()


class Drawn(Writer):
    """Writes one program with the draws of a plain generator: a thousand times as fast."""

    def __init__(self, rng: random.Random):
        super().__init__(None)
        self.rng = rng

    def number(self, low: int, high: int) -> int:
        return self.rng.randint(low, high)

    def pick(self, *options: Any) -> Any:
        return self.rng.choice(options)

    def small(self) -> str:
        """A program of few statements, which is mostly right."""
        self.budget = 5
        out = HEADER.format(channels=self.pick(1, 2, 4), size=self.pick(4, 6))
        if self.chance(40):
            out += self.let(0)
        for number in range(self.pick(0, 1, 1, 2)):
            kind = self.pick(self.block, self.choice, self.choice, self.cell)
            out += kind(f"T{number}")
        names = self.inside([])
        names.labels = list(self.lets.labels)
        where = self.where(names)
        modules = [self.module(names, 1) for _ in range(self.number(1, 2))]
        return f"{out}network = {' >> '.join(modules)} >> global_avgpool >> linear(3){where}\n"
