"""The public facade: from a text to spaces, networks and runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nasdsl.graph.network import Network
from nasdsl.loading import Analysis, analyze, check, load
from nasdsl.neighborhood import Neighbor
from nasdsl.space import Architecture, Space

if TYPE_CHECKING:
    import networkx as nx
    from torch import fx

    from nasdsl.study.run import StudyResult
    from nasdsl.training.data.dataset import Dataset
    from nasdsl.training.settings import TrainSettings
    from nasdsl.training.together import Trained

__all__ = [
    "Analysis",
    "Architecture",
    "Neighbor",
    "Space",
    "analyze",
    "check",
    "compile",
    "compile_neighborhood",
    "compile_population",
    "compile_supernet",
    "load",
    "run",
    "train_networks",
]


def compile(
    subject: Architecture | Neighbor | Network | nx.MultiDiGraph[str], seed: int = 0
) -> fx.GraphModule:
    """An architecture, or a graph of one, as a torch.fx GraphModule.

    Initial weights are derived from the seed and each node's id, so a node that two networks
    share starts equal in both.
    """
    from nasdsl.compiler import compile_network

    if isinstance(subject, Network):
        network = subject
    elif isinstance(subject, Architecture | Neighbor):
        network = subject.network
    else:
        network = Network.from_networkx(subject)
    return compile_network(network, seed)


def compile_supernet(
    space: Space, kind: Literal["mixed", "path", "elastic"] = "path", **options: Any
) -> Any:
    """A whole space as one network with shared weights: ``mixed``, ``path`` or ``elastic``.

    See :func:`nasdsl.compiler.compile_supernet`.
    """
    from nasdsl.compiler import compile_supernet as make

    return make(space, kind, **options)


def compile_population(members: Sequence[Any], **options: Any) -> Any:
    """Several networks as one, trained together and each apart from the others.

    See :func:`nasdsl.compiler.population.compile_population`.
    """
    from nasdsl.compiler.population import compile_population as make

    return make(members, **options)


def compile_neighborhood(center: Any, **options: Any) -> Any:
    """An architecture and all its neighbors as one network with shared weights.

    See :func:`nasdsl.compiler.neighborhood.compile_neighborhood`.
    """
    from nasdsl.compiler.neighborhood import compile_neighborhood as make

    return make(center, **options)


def train_networks(
    members: Sequence[Any],
    data: Dataset,
    settings: TrainSettings,
    seed: int = 0,
    **options: Any,
) -> list[Trained]:
    """Architectures, neighbors or networks trained on the same batches, at once where that pays.

    See :func:`nasdsl.training.together.train_networks`. A run trains its candidates one by one:
    what is chosen by a timing may differ from run to run, and so would the results, by rounding.
    """
    from nasdsl.training.together import train_networks as train

    return train(members, data, settings, seed, **options)


def run(path_or_text: str | Path, **options: Any) -> StudyResult:
    """Carry out the search that a file asks for; see :func:`nasdsl.study.run.run`."""
    from nasdsl.study.run import run as carry_out

    return carry_out(path_or_text, **options)
