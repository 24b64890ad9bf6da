"""Ways for a candidate to end, as worker processes import them. Not a test file.

The name of the network says how: executors carry it there unchanged.
"""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Mapping
from pathlib import Path

from nasdsl.diagnostics import problem
from nasdsl.graph.network import Network
from nasdsl.objectives.measurement import Measurement, Value


def ends(network: Network, seed: int, facts: Mapping[str, float]) -> Measurement:
    """Ends as the network's name says; by default with its process's id and the seed."""
    way, _, argument = network.name.partition(":")
    if way == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif way == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif way == "exit":
        os._exit(int(argument))
    elif way == "hang":
        time.sleep(3600)
    elif way == "bug":
        raise ZeroDivisionError("a bug of ours")
    elif way == "told":
        raise problem("NAS701", "the data are gone")
    elif way == "fail":
        return Measurement({}, "failed", "diverged at step 1: loss is nan")
    elif way == "sleep":
        Path(argument).write_text(str(os.getpid()))
        time.sleep(3600)
    elif way == "memory":
        return _eats()
    values = {"pid": Value(float(os.getpid())), "seed": Value(float(seed % 1000))}
    return Measurement(values | {name: Value(value) for name, value in facts.items()})


def _eats() -> Measurement:
    """Asks for more memory than its process may have, as a network too large does."""
    from nasdsl.objectives.evaluate import failure

    resource.setrlimit(resource.RLIMIT_DATA, (2**30, 2**30))
    import torch

    try:
        torch.ones(2**30)
    except Exception as error:  # as an evaluator takes whatever a candidate raises
        return Measurement({}, "failed", failure(error))
    return Measurement({})


def dies_at_start(network: Network, seed: int, facts: Mapping[str, float]) -> Measurement:
    """Never reached: :class:`Poison` ends the process while it is unpickled."""
    raise AssertionError


class Poison:
    """Ends the process that unpickles it."""

    def __call__(self, network: Network, seed: int, facts: Mapping[str, float]) -> Measurement:
        raise AssertionError

    def __reduce__(self) -> tuple[object, tuple[int]]:
        return os._exit, (9,)
