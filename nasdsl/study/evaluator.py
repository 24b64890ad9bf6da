"""The measurement of one network, as executors carry it to wherever trials are trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nasdsl.graph.network import Network
from nasdsl.objectives.evaluate import evaluate
from nasdsl.objectives.measurement import Fact, Measurement
from nasdsl.objectives.metrics import MetricRequest
from nasdsl.study.oneshot import Inherited
from nasdsl.training.settings import DataSettings, TrainSettings
from nasdsl.training.threads import one_thread


@dataclass(frozen=True, slots=True)
class Evaluator:
    """Trains and measures networks as one study asks for it.

    Attributes:
        data, train: settings of the file.
        requests: what to measure.
        device: ``cpu`` or ``cuda``.
        base_folder: what relative paths of the data are relative to.
        inherited: where networks take their first weights from, if not at random.
    """

    data: DataSettings
    train: TrainSettings
    requests: tuple[MetricRequest, ...]
    device: str
    base_folder: str
    inherited: Inherited | None = None

    def __call__(
        self,
        network: Network,
        seed: int,
        facts: Mapping[str, Fact] | None = None,
        keep_weights: bool = False,
        joined: bool = False,
        each: bool = False,
    ) -> Measurement:
        """The measurement of a network; see :func:`nasdsl.objectives.evaluate.evaluate`."""
        with one_thread():
            return evaluate(
                network,
                self.data,
                self.train,
                self.requests,
                seed,
                self.device,
                self.base_folder,
                keep_weights,
                facts,
                joined,
                each,
                initial=None if self.inherited is None else self.inherited.module,
            )
