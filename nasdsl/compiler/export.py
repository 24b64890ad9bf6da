"""Ways out: files that other programs run, checked by what they compute."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, fx, nn

from nasdsl.diagnostics import problem
from nasdsl.graph.network import Network
from nasdsl.operations.operation import TensorType

ONNX = ("onnx", "onnxscript")
"""What writing ONNX needs; the extra ``export`` of the package."""

LARGEST_BATCH = 2**20


def example_inputs(network: Network, batch: int = 2) -> tuple[Tensor, ...]:
    """Zeros of the types of a network's inputs, on the CPU."""
    return tuple(_zeros(node.type, batch) for node in network.inputs)


def _zeros(type: TensorType, batch: int) -> Tensor:
    dtype = torch.int64 if type.dtype == "int" else torch.get_default_dtype()
    return torch.zeros(batch, *type.shape, dtype=dtype, device="cpu")


def to_exported(module: fx.GraphModule) -> torch.export.ExportedProgram:
    """A compiled network as a program of ``torch.export`` that takes any batch.

    The network is exported as in evaluation; its own mode is left as it was.
    """
    inputs, shapes = _call(module)
    with _evaluating(module), _quiet():
        return torch.export.export(module, inputs, dynamic_shapes=shapes)


def save_exported(module: fx.GraphModule, path: str | Path) -> None:
    """Write a network for ``torch.export.load``, weights included.

    The file is put in place whole or not at all. Raises a diagnostic where it cannot be
    written (NAS904).
    """
    program = to_exported(module)
    with _placed(Path(path)) as temporary, _quiet():
        torch.export.save(program, temporary)


def save_onnx(module: fx.GraphModule, path: str | Path) -> None:
    """Write a network as ONNX for any batch, weights included, inputs named as the network's.

    Raises a diagnostic where the packages for it are not installed (NAS807), or the file
    cannot be written (NAS904).
    """
    missing = [name for name in ONNX if importlib.util.find_spec(name) is None]
    if missing:
        raise problem(
            "NAS807",
            f"writing ONNX needs {' and '.join(missing)}; install nasdsl with the extra 'export'",
        )
    inputs, shapes = _call(module)
    names = [str(node.target) for node in module.graph.nodes if node.op == "placeholder"]
    outputs = _outputs(module)
    with _evaluating(module), _quiet(), _placed(Path(path)) as temporary:
        program = torch.onnx.export(
            module,
            inputs,
            dynamo=True,
            dynamic_shapes=shapes,
            input_names=names,
            output_names=outputs,
            external_data=False,
            verbose=False,
        )
        assert program is not None
        program.save(temporary, external_data=False)


FORMATS: dict[str, Callable[[fx.GraphModule, str | Path], None]] = {
    ".pt2": save_exported,
    ".onnx": save_onnx,
}
"""How each kind of file is written, by its ending."""


def load_weights(module: nn.Module, path: str | Path) -> None:
    """Take the weights of a safetensors file, as a run saves them.

    Raises a diagnostic where the file cannot be read (NAS901, NAS902) or is of another network
    (NAS809).
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not Path(path).exists():
        raise problem("NAS901", f"there is no file '{path}'")
    try:
        state = load_file(path)
    except (OSError, SafetensorError) as error:
        raise problem("NAS902", f"'{path}' cannot be read as safetensors: {error}") from None
    try:
        module.load_state_dict(state)
    except RuntimeError:
        raise problem("NAS809", f"the weights in '{path}' are of another network") from None


def _outputs(module: fx.GraphModule) -> list[str]:
    (result,) = module.graph.output_node().args
    if not isinstance(result, tuple):
        return ["output"]
    return [f"output_{at}" for at in range(len(result))]


def _call(module: fx.GraphModule) -> tuple[tuple[Tensor, ...], tuple[Any, ...]]:
    network: Network | None = module.meta.get("network")
    if network is None:
        raise problem("NAS808", "only a network of one architecture can be exported; extract one")
    inputs = example_inputs(network)
    tensor = next(module.parameters(), None)
    if tensor is not None:
        inputs = tuple(x.to(tensor.device) for x in inputs)
    batch = torch.export.Dim("batch", min=1, max=LARGEST_BATCH)
    return inputs, tuple({0: batch} for _ in inputs)


@contextlib.contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    modes = {inner: inner.training for inner in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for inner, mode in modes.items():
            inner.training = mode


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what torch's exporters say about their own code and packages they look for."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


@contextlib.contextmanager
def _placed(path: Path) -> Iterator[str]:
    """A file beside the wanted one, which takes its place in the end."""
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{os.getpid()}-{target.name}")
    try:
        if target.is_dir():
            raise IsADirectoryError(21, os.strerror(21))
        if not target.parent.is_dir():
            raise FileNotFoundError(2, os.strerror(2))
        yield str(temporary)
        os.replace(temporary, target)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise problem("NAS904", f"'{path}' cannot be written: {reason}") from None
    finally:
        temporary.unlink(missing_ok=True)
