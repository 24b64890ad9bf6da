"""Other libraries on the NAS-Bench-201 cell, each in a Python of its own.

    python benchmarks/peers.py NAME      answers on its output what it reads on its input

``benchmarks.spaces`` starts one process for each library, since some cannot stand beside each other
(one needs numpy 1, another numpy 2), and lets the processes take turns. What a process does is one
of the rows below, each written as that library's own searchers do it:

- ``sampling``: six decisions out of five operations, uniform, as values and not as indices;
- ``neighbors``: random neighbors of fresh centers by the library's own mutation (which may draw the
  old value again);
- ``networks``: modules of 3 x 5 cells, where the library builds them itself.

This file imports nothing of nasdsl, so that any Python with one of the libraries can run it.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import json
import os
import random
import subprocess
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

OPERATIONS = ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]
EDGES = [f"edge{i}" for i in range(6)]
CENTERS = 24
"""Neighbors that are drawn of one center, as many as it has."""

Work = Callable[[int, int], int]
"""Does about so many items, with a seed; returns how many it did."""


def optuna() -> dict[str, Work]:
    """Trials of a random sampler: Optuna has no neighbors and no networks."""
    import optuna as library

    library.logging.set_verbosity(library.logging.ERROR)

    def sampling(number: int, seed: int) -> int:
        study = library.create_study(sampler=library.samplers.RandomSampler(seed=seed))
        done = 0
        for _ in range(number):
            trial = study.ask()
            done += len([trial.suggest_categorical(e, OPERATIONS) for e in EDGES]) == 6
        return done

    return {"sampling": sampling}


def pyglove() -> dict[str, Work]:
    """DNA drawn and decoded; neighbors by the uniform mutator of its evolution."""
    import pyglove as pg

    space = pg.Dict({e: pg.oneof(OPERATIONS) for e in EDGES})
    spec = pg.dna_spec(space)
    template = pg.template(space)

    def decoded(dna: Any) -> bool:
        return len(template.decode(dna)) == 6

    def sampling(number: int, seed: int) -> int:
        draw = random.Random(seed)
        return sum(decoded(pg.random_dna(spec, draw)) for _ in range(number))

    def neighbors(number: int, seed: int) -> int:
        mutate = pg.evolution.mutators.Uniform(seed=seed).mutate
        draw = random.Random(seed)
        found = 0
        while found < number:
            center = pg.random_dna(spec, draw)
            found += sum(decoded(mutate(center)) for _ in range(CENTERS))
        return found

    return {"sampling": sampling, "neighbors": neighbors}


def neps() -> dict[str, Work]:
    """Pipelines resolved; neighbors forget one decision and draw it again."""
    import neps as library
    from neps.space.neps_spaces.neps_space import resolve
    from neps.space.neps_spaces.sampling import MutateByForgettingSampler, RandomSampler

    space = type("Cell", (library.PipelineSpace,), {e: _categorical(library) for e in EDGES})()

    def resolved(sampler: Any) -> Mapping[str, Any]:
        cell, context = resolve(space, domain_sampler=sampler)
        assert all(isinstance(getattr(cell, e), str) for e in EDGES)
        made: Mapping[str, Any] = context.samplings_made
        return made

    def sampling(number: int, seed: int) -> int:
        random.seed(seed)
        return sum(len(resolved(RandomSampler({}))) == 6 for _ in range(number))

    def neighbors(number: int, seed: int) -> int:
        random.seed(seed)
        found = 0
        while found < number:
            center = resolved(RandomSampler({}))
            for _ in range(CENTERS):
                found += len(resolved(MutateByForgettingSampler(center, n_forgets=1))) == 6
        return found

    return {"sampling": sampling, "neighbors": neighbors}


def _categorical(library: Any) -> Any:
    return library.Categorical(choices=tuple(OPERATIONS))


def nni() -> dict[str, Work]:
    """Mutables drawn; neighbors as regularized evolution makes them; its own network frozen."""
    from nni.mutable import Categorical, MutableDict
    from nni.nas.hub.pytorch import NasBench201
    from numpy.random import RandomState

    space = MutableDict({e: Categorical(OPERATIONS, label=e) for e in EDGES})

    def sampling(number: int, seed: int) -> int:
        state = RandomState(seed)
        return sum(len(space.random({}, state)) == 6 for _ in range(number))

    def neighbors(number: int, seed: int) -> int:
        state = RandomState(seed)
        found = 0
        while found < number:
            center: dict[str, Any] = {}
            space.random(center, state)
            for _ in range(CENTERS):
                places = space.simplify()
                changed = dict(center)
                at = EDGES[state.randint(len(EDGES))]
                changed[at] = places[at].random(random_state=state)
                found += len(space.freeze(changed)) == 6
        return found

    def networks(number: int, seed: int) -> int:
        state = RandomState(seed)
        supernet = NasBench201(16, 5)
        return sum(supernet.random({}, state) is not None for _ in range(number))

    return {"sampling": sampling, "neighbors": neighbors, "networks": networks}


def archai() -> dict[str, Work]:
    """Configurations drawn from a tree; neighbors by its search space with a module of no work."""
    from archai.discrete_search.search_spaces.config import (
        ArchParamTree,
        ConfigSearchSpace,
        DiscreteChoice,
    )
    from torch import nn

    class Chosen(nn.Module):
        """Reads its decisions and builds nothing."""

        def __init__(self, config: Any) -> None:
            super().__init__()
            self.chosen = [config.pick(e) for e in EDGES]

    tree = ArchParamTree({e: DiscreteChoice(OPERATIONS) for e in EDGES})

    def sampling(number: int, seed: int) -> int:
        draw = random.Random(seed)
        return sum(len(tree.sample_config(draw).to_dict()) == 6 for _ in range(number))

    def neighbors(number: int, seed: int) -> int:
        space = ConfigSearchSpace(Chosen, tree, seed=seed, mutation_prob=1 / 6)
        found = 0
        while found < number:
            center = space.random_sample()
            found += sum(len(space.mutate(center).arch.chosen) == 6 for _ in range(CENTERS))
        return found

    return {"sampling": sampling, "neighbors": neighbors}


@dataclass(frozen=True)
class Peer:
    """A library: how it is imported, installed and put to work, and how much it does in a round."""

    module: str
    install: str
    work: Callable[[], dict[str, Work]]
    amounts: Mapping[str, int]


PEERS = {
    "archai": Peer(
        "archai",
        "pip install torch pandas matplotlib pyyaml tqdm 'overrides==3.1.0' && "
        "pip install --no-deps archai==1.0.0",
        archai,
        {"sampling": 6_000, "neighbors": 1_200},
    ),
    "NNI": Peer(
        "nni",
        "pip install torch 'numpy<2' 'pytorch-lightning<2' 'setuptools<81' nni==3.0",
        nni,
        {"sampling": 1_000, "neighbors": 960, "networks": 1},
    ),
    "NePS": Peer(
        "neps",
        "pip install torch 'botorch<0.13' neural-pipeline-search==0.17.0",
        neps,
        {"sampling": 500, "neighbors": 480},
    ),
    "Optuna": Peer("optuna", "pip install optuna", optuna, {"sampling": 200}),
    "PyGlove": Peer(
        "pyglove", "pip install pyglove==0.4.5", pyglove, {"sampling": 40, "neighbors": 48}
    ),
}
"""Those of the package index; NASLib is not on it."""


class Process:
    """A peer at work in another Python."""

    def __init__(self, name: str, python: str):
        """Start it, with one thread.

        Raises:
            ImportError: that Python cannot import the library; says what it said.
        """
        alone = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
        self._process = subprocess.Popen(
            [python, str(Path(__file__).resolve()), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **alone},
        )
        told = self._answer()
        if "missing" in told:
            self.close()
            raise ImportError(told["missing"])
        self.rows: list[str] = told["rows"]
        self.version: str = told["version"]

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            return {"missing": f"the process ended with {self._process.wait()}"}
        answer: dict[str, Any] = json.loads(line)
        return answer

    def rate(self, row: str, number: int) -> Callable[[int], float]:
        """What does a row for a turn and gives items a second, timed in the process itself."""

        def run(turn: int) -> float:
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps([row, number, turn + 1]) + "\n")
            self._process.stdin.flush()
            answer = self._answer()
            return float(answer["done"] / answer["seconds"])

        return run

    def close(self) -> None:
        """End the process."""
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            with contextlib.suppress(BrokenPipeError):
                stream.close()
        self._process.wait()


def serve(name: str) -> None:
    """Answer requests, one a line, until the input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # What a library prints is no answer.
    peer = PEERS[name]
    try:
        rows = peer.work()
    except Exception as error:  # Old libraries fail in many ways beside ImportError.
        answers.write(json.dumps({"missing": f"{type(error).__name__}: {error}"}) + "\n")
        return
    version = getattr(importlib.import_module(peer.module), "__version__", None)
    if version is None:
        package = {"neps": "neural-pipeline-search"}.get(peer.module, peer.module)
        version = importlib.metadata.version(package)
    answers.write(json.dumps({"rows": list(rows), "version": version}) + "\n")
    for line in sys.stdin:
        row, number, seed = json.loads(line)
        start = perf_counter()
        done = rows[row](number, seed)
        answers.write(json.dumps({"done": done, "seconds": perf_counter() - start}) + "\n")


if __name__ == "__main__":
    # The file's folder holds modules that other libraries would find under their own names.
    sys.path[0] = os.getcwd()
    warnings.simplefilter("ignore")
    serve(sys.argv[1])
