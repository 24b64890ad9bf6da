"""Running a program once for each run of answers: every decision asks an oracle."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

from nasdsl.language import syntax as s
from nasdsl.operations.operation import ShapeError
from nasdsl.operations.resolve import SettingError
from tests.space.reference.built import BROKEN, Built, Op, Outside, TooMany, Wrong
from tests.space.reference.scope import COPY, Env, Label, Place, shown
from tests.space.reference.values import Values


class Oracle(Values, ABC):
    """Takes decisions as it is told, and enumerates every way to take them."""

    @abstractmethod
    def _run(self) -> int:
        """Run the program; the position of its result among what was written."""

    def architectures(self, limit: int = 100_000) -> Iterator[Built]:
        """All architectures, in the order in which decisions are taken; wrong ones too."""
        prefix: list[int] = []
        seen = 0
        while True:
            self.answers: list[tuple[int, int]] = []
            self.prefix = prefix
            built = self._built()
            if built is not None:
                seen += 1
                if seen > limit:
                    raise TooMany
                yield built
            while self.answers and self.answers[-1][0] + 1 == self.answers[-1][1]:
                self.answers.pop()
            if not self.answers:
                return
            prefix = [a for a, _ in self.answers]
            prefix[-1] += 1

    def _built(self) -> Built | None:
        self.decisions: dict[str, Any] = {}
        self.options: dict[str, tuple[Any, ...]] = {}
        self.written: list[Op] = []
        self.used: dict[str, set[str]] = {}
        self.inside: list[set[str]] = []
        self.decided: dict[str, Any] = {}
        self.wrong: list[str] = []
        try:
            output = self._run()
        except Outside:
            return None
        except (Wrong, ShapeError, SettingError) as error:
            output = self._broken(error)
        if self.wrong:
            return Built(self.decisions, self.options, wrong=self.wrong[0])
        return Built(self.decisions, self.options, tuple(self.written), output)

    def _broken(self, error: Exception) -> int:
        """Go on with a tensor of no type: later decisions may show that all this is outside."""
        self.wrong.append(str(error) or type(error).__name__)
        return BROKEN

    def _decide(self, marked: str, options: tuple[Any, ...]) -> Any:
        name = marked.replace(COPY, "")
        if not options:
            raise Wrong(f"nothing to choose for {name}")
        if self.inside:
            self.inside[-1].add(name)
            if name in self.decisions:
                # Another use of the cell has decided: its value must be allowed here too.
                if self.decisions[name] not in options:
                    raise Outside
                self.options[name] = tuple(o for o in self.options[name] if o in options)
                return self.decisions[name]
        assert name not in self.decisions, f"two decisions are called {name}"
        answer = self._answer(marked, options)
        self.decisions[name] = options[answer]
        self.options[name] = options
        return options[answer]

    def _answer(self, marked: str, options: tuple[Any, ...]) -> int:
        """What the oracle says: the next of its answers, or the first option."""
        at = len(self.answers)
        answer = self.prefix[at] if at < len(self.prefix) else 0
        self.answers.append((answer, len(options)))
        return answer

    def _where(self, bindings: tuple[s.Binding, ...], env: Env, place: Place) -> Env:
        for binding in bindings:
            env = env.bind(binding.name.text, self._bound(binding, env, place))
        return env

    def _bound(self, binding: s.Binding, env: Env, place: Place) -> Any:
        name = binding.name.text
        if not binding.indices:
            return self._source(binding, env, place.decision(name))
        family: dict[Any, Any] = {}
        for index, inner in self._indexed(binding.indices, env):
            family[index] = self._source(binding, inner, place.decision(f"{name}[{shown(index)}]"))
        return family

    def _source(self, binding: s.Binding, env: Env, name: str) -> Any:
        source = binding.source
        if isinstance(source, s.Pick | s.Some):
            return self._decide(name, self._subsets(source, env))
        if not binding.chosen:
            return self._value(source, env)
        if isinstance(source, s.Ref) and isinstance(self.templates.get(source.name), s.Choice):
            choice = self.templates[source.name]
            assert isinstance(choice, s.Choice)
            names = tuple(a.name.text for a in choice.alternatives)
            return Label(source.name, self._decide(name, names))
        values = self._members(source, env)
        if all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
            values = tuple(sorted(values))
        return self._decide(name, values)

    def _subsets(self, source: s.Pick | s.Some, env: Env) -> tuple[Any, ...]:
        members = tuple(sorted(self._members(source.source, env)))
        sizes = range(len(members) + 1)
        if isinstance(source, s.Pick):
            k = self._value(source.number, env)
            if not 0 <= k <= len(members):
                raise Wrong("cannot pick so many")
            sizes = range(k, k + 1)
        return tuple(sorted(c for k in sizes for c in itertools.combinations(members, k)))
