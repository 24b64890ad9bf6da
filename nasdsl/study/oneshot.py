"""The supernet of a run: trained before the first proposal, and what it lends to the study.

What the training came to is written down in the run folder before the study begins:
``supernet.json``, and for an elastic supernet its weights in ``supernet.safetensors``. After each
epoch the state goes to ``supernet.pt``, so that a run that is killed goes on to what it would have
come to. The searcher and the trials read these files alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nasdsl import loading
from nasdsl.diagnostics import problem
from nasdsl.objectives.table import SOURCE
from nasdsl.search import SearchSettings
from nasdsl.search.learned import Learned
from nasdsl.seeding import derive
from nasdsl.study import files
from nasdsl.study.folder import OVERRIDES, TEXT
from nasdsl.study.progress import clock
from nasdsl.training.oneshot.settings import DartsSettings, ElasticSettings
from nasdsl.training.settings import DataSettings, TrainSettings

if TYPE_CHECKING:
    from torch import nn

    from nasdsl.compiler.supernet import SwitchedSupernet
    from nasdsl.graph.network import Network
    from nasdsl.space import Space
    from nasdsl.training.data import Dataset

RESULT = "supernet.json"
WEIGHTS = "supernet.safetensors"
STATE = "supernet.pt"


@dataclass(frozen=True, slots=True)
class Inherited:
    """Networks that take their weights from the elastic supernet of a run folder.

    Plain data, so that it reaches other processes; each reads the supernet once.
    """

    folder: str

    def module(self, network: Network, seed: int) -> nn.Module:
        """The network with the supernet's weights.

        Raises a diagnostic (NAS812) for a network that is none of the supernet's paths, as a
        neighbor outside of the space may be.
        """
        from nasdsl.training.oneshot.elastic import inherit

        path = Path(self.folder) / WEIGHTS
        try:
            supernet = _supernet(self.folder, path.stat().st_mtime_ns)
        except OSError as error:
            raise problem("NAS609", f"'{path}' cannot be read: {error.strerror}") from error
        return inherit(supernet, network, seed)


@dataclass(frozen=True, slots=True)
class Lent:
    """What a supernet lends to the study: weights of alternatives, or weights of networks."""

    learned: Learned | None = None
    inherited: Inherited | None = None


def check(space: Space, search: SearchSettings, data: DataSettings) -> None:
    """Raises a diagnostic where the search needs a supernet and cannot have it.

    Nothing is trained; whatever is wrong here is told before there is a run folder.
    """
    training = search.training
    if training is None:
        return
    name = search.kind.name
    if data.source == SOURCE:
        raise problem(
            "NAS630", f"'{name}' trains a supernet on samples, but the data are a table", data.span
        )
    if isinstance(training, DartsSettings):
        from nasdsl.compiler.supernet.merge import merged

        if not merged(space).mixtures():
            raise problem("NAS630", f"'{space.name}' has no decision that '{name}' could mix")
        return
    from nasdsl.training.oneshot.elastic import elastic_supernet

    elastic_supernet(space)


def trained(
    place: Path,
    space: Space,
    search: SearchSettings,
    data: DataSettings,
    train: TrainSettings,
    device: str,
    base_folder: str,
    say: Callable[[str], None],
) -> Lent:
    """Trains the supernet that the search asks for, unless the run folder holds it already.

    Raises:
        DiagnosticError: NAS631, its training diverged.
    """
    training = search.training
    if training is None:
        return Lent()
    found = read(place)
    if found is None:
        from nasdsl.training.data import load
        from nasdsl.training.history import Diverged
        from nasdsl.training.threads import one_thread

        state = place / STATE
        taken = state.read_bytes() if state.exists() else None
        say(f"training the supernet of '{search.kind.name}', {training.epochs} epochs")
        try:
            with one_thread():
                work = _Work(
                    place,
                    space,
                    load(data, base_folder, device),
                    train,
                    derive(search.seed, "supernet"),
                    device,
                    taken,
                    say,
                )
                if isinstance(training, DartsSettings):
                    found = work.mixed(training)
                else:
                    found = work.elastic(training)
        except Diverged as error:
            raise problem(
                "NAS631",
                f"the supernet of '{search.kind.name}' {error}; a smaller lr may help",
            ) from error
        files.write(place / RESULT, json.dumps(found, indent=1, allow_nan=False) + "\n")
        state.unlink(missing_ok=True)
    if isinstance(training, ElasticSettings):
        return Lent(inherited=Inherited(str(place.resolve())))
    return Lent(learned={name: tuple(w) for name, w in found["weights"].items()})


def read(place: Path) -> dict[str, Any] | None:
    """What ``supernet.json`` of a run folder says, if it is there."""
    try:
        found: dict[str, Any] = json.loads((place / RESULT).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise problem("NAS609", f"'{place / RESULT}' cannot be read: {error}") from error
    return found


def facts(place: Path) -> Mapping[str, str]:
    """What a report says of the supernet; empty where there is none."""
    found = read(place)
    if found is None:
        return {}
    last = found["epochs"][-1]
    shown = {
        "supernet": f"{len(found['epochs'])} epochs in {clock(found['seconds'])}",
        "supernet's passes": f"{found['passes']:,}",
        "supernet's loss": f"{last['loss']:.3f}",
    }
    if found.get("skippable"):
        shown["collapsed to skips"] = f"{last['skips']} of {found['skippable']} decisions"
    return shown


@dataclass(frozen=True, slots=True)
class _Work:
    """A supernet to be trained in a run folder."""

    place: Path
    space: Space
    data: Dataset
    train: TrainSettings
    seed: int
    device: str
    taken: bytes | None
    say: Callable[[str], None]

    def mixed(self, settings: DartsSettings) -> dict[str, Any]:
        """Trains a mixed supernet; gives the result as JSON holds it."""
        from nasdsl.training.oneshot.darts import DartsEpoch, train_darts

        def tell(epoch: DartsEpoch) -> None:
            self.say(
                f"supernet, epoch {epoch.epoch}: loss {epoch.loss:.3f}, of decisions "
                f"{epoch.decision_loss:.3f}, skips lead in {epoch.skips}"
            )

        result = train_darts(
            self.space,
            self.data,
            settings,
            self.train,
            self.seed,
            self.device,
            self.taken,
            self._keep,
            tell,
        )
        return result.to_json()

    def elastic(self, settings: ElasticSettings) -> dict[str, Any]:
        """Trains an elastic supernet and writes its weights; the result as JSON holds it."""
        from nasdsl.objectives.evaluate import to_bytes
        from nasdsl.training.history import EpochRecord
        from nasdsl.training.oneshot.elastic import train_elastic

        def tell(epoch: EpochRecord) -> None:
            self.say(f"supernet, epoch {epoch.epoch}: loss {epoch.loss:.3f}")

        supernet, result = train_elastic(
            self.space,
            self.data,
            settings,
            self.train,
            self.seed,
            self.device,
            self.taken,
            self._keep,
            tell,
        )
        files.write(self.place / WEIGHTS, to_bytes(supernet))
        return result.to_json()

    def _keep(self, state: bytes) -> None:
        files.write(self.place / STATE, state)


@lru_cache(maxsize=1)
def _supernet(folder: str, changed: int) -> SwitchedSupernet:
    """The trained supernet of a run folder, on the CPU; ``changed`` is part of the key alone."""
    from nasdsl.objectives.evaluate import from_bytes
    from nasdsl.training.oneshot.elastic import elastic_supernet

    place = Path(folder)
    overrides = json.loads((place / OVERRIDES).read_text(encoding="utf-8"))
    supernet = elastic_supernet(loading.load(place / TEXT, overrides)).eval()
    from_bytes(supernet, (place / WEIGHTS).read_bytes())
    return supernet
