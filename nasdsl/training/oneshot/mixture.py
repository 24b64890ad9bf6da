"""Mixtures of alternatives, and the neighborhood of a mixture as differentiable functions of it.

A neighbor is the mixture itself with the weights of one decision permuted. For weights of zero
and one that is an architecture that decides one thing otherwise, so that over all moves the
neighbors of an architecture are those at Hamming distance 1, each once; in between, a neighbor is
a distribution at most as far in total variation. Gradients flow through the permutation.

Wang, Cao, Li and Kitani ("Neighborhood-Aware Neural Architecture Search", BMVC 2021) describe
NA-DARTS by the mean loss over a differentiable neighborhood; this construction of it is ours.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nasdsl.compiler.supernet import MixedSupernet, Relaxation
from nasdsl.seeding import derive, generator
from nasdsl.training.oneshot.settings import Relaxed

Weights = Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class Move:
    """A permutation of one decision's weights: entry ``i`` becomes the old entry ``order[i]``."""

    decision: str
    order: tuple[int, ...]

    def of(self, weights: Weights) -> dict[str, Tensor]:
        """The neighbor of a mixture."""
        vector = weights[self.decision]
        return {**weights, self.decision: vector[torch.tensor(self.order, device=vector.device)]}


def moves(supernet: MixedSupernet) -> tuple[Move, ...]:
    """All moves of a supernet, in the order of its decisions.

    A decision of K alternatives has the K - 1 cyclic shifts. One that picks several of K members
    has the exchanges of two members; of those some leave an architecture as it is.
    """
    found: list[Move] = []
    for name, alternatives in supernet.meta["decisions"].items():
        size = len(alternatives)
        if supernet.meta["picked"].get(name):
            for i, j in itertools.combinations(range(size), 2):
                order = list(range(size))
                order[i], order[j] = j, i
                found.append(Move(name, tuple(order)))
        else:
            found += [
                Move(name, tuple((i - k) % size for i in range(size))) for k in range(1, size)
            ]
    return tuple(found)


def drawn(all_moves: Sequence[Move], n: int, *keys: str | int) -> list[Move]:
    """``n`` different moves, uniform, a function of the keys; all where there are no more."""
    if n >= len(all_moves):
        return list(all_moves)
    return generator("moves", *keys).sample(list(all_moves), n)


class Decisions(nn.Module):
    """The learned vectors of a mixed supernet, by decision, and the weights they stand for."""

    def __init__(self, supernet: MixedSupernet, relaxation: Relaxed, seed: int) -> None:
        """Vectors start at 1e-3 times a normal draw, a function of the seed and the name."""
        super().__init__()
        self.names = tuple(supernet.meta["decisions"])
        picked: Mapping[str, int] = supernet.meta["picked"]
        self.vectors = nn.ModuleList()
        for name in self.names:
            size = len(supernet.meta["decisions"][name])
            with torch.random.fork_rng([]):
                torch.default_generator.manual_seed(derive(seed, "decision", name))
                self.vectors.append(Relaxation(size, relaxation, picked.get(name) or 1))

    def forward(self) -> dict[str, Tensor]:
        """The weights of the alternatives, differentiable in the vectors."""
        return {name: vector() for name, vector in zip(self.names, self.vectors, strict=True)}

    @torch.no_grad()
    def probabilities(self) -> dict[str, Tensor]:
        """The weights without noise, as in evaluation, on the CPU."""
        found: dict[str, Tensor] = {}
        for name, vector in zip(self.names, self.vectors, strict=True):
            assert isinstance(vector, Relaxation)
            soft = vector.picked * torch.softmax(vector.alpha / vector.temperature, 0)
            found[name] = soft.cpu()
        return found
