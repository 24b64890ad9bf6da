"""What an architecture and a network outside the space have in common: a live network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nasdsl.graph.network import Network

if TYPE_CHECKING:
    import networkx as nx


class Networked:
    """Something whose ``network`` is worked out."""

    if TYPE_CHECKING:  # a plain attribute where it is given, worked out where it is not

        @property
        def network(self) -> Network:
            """The live network."""

    @property
    def graph(self) -> nx.MultiDiGraph[str]:
        """The live network as a networkx graph (see ``Network.to_networkx``)."""
        return self.network.to_networkx()

    @property
    def params(self) -> int:
        """Learned parameters of the live network."""
        return self.network.params

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one sample in the live network (1 MAC = 2 FLOPs)."""
        return self.network.macs
