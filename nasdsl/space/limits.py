"""How large a space may be: what no machine would work out or build is refused."""

from __future__ import annotations

from nasdsl.diagnostics import Diagnostic
from nasdsl.language import syntax as s
from nasdsl.space.residual import Step

MAX_STEPS = 150_000
EQUATION = 5
"""An equation of a graph takes as long as so many steps."""
MAX_OPERATIONS = 100_000


class TooLarge(Exception):
    """The space needs more steps than are allowed; carries the diagnostic."""

    def __init__(self, diagnostic: Diagnostic):
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


class Effort:
    """Counts the steps that working out one space has taken."""

    def __init__(self) -> None:
        self._count = 0

    def spend(self, at: s.Syntax, steps: int = 1) -> None:
        """Count steps; raises :class:`TooLarge` where they are too many."""
        self._count += steps
        if self._count > MAX_STEPS:
            raise TooLarge(
                Diagnostic(
                    "NAS301",
                    f"the space is undecided: working it out takes more than {MAX_STEPS:,} steps "
                    "(this is the place reached)",
                    at.span,
                )
            )


def bounded(step: Step, at: s.Syntax) -> None:
    """Refuse what no machine would build; raises :class:`TooLarge`."""
    if step.most > MAX_OPERATIONS:
        message = (
            f"an architecture may have {_about(step.most)} operations here; "
            f"at most {MAX_OPERATIONS:,} are allowed"
        )
        raise TooLarge(Diagnostic("NAS304", message, at.span))


def _about(number: int) -> str:
    """A number, a very long one by its length."""
    return f"{number:,}" if number < 10**15 else f"about 10^{len(str(number)) - 1}"
