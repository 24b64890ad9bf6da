"""Inputs of whole numbers: declared, embedded, trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import nasdsl
from nasdsl.diagnostics import DiagnosticError
from nasdsl.study.run import run

TEXT = """
space words
input  words KIND[6]
output logits[2]
choice Mix(d) =
  | skip = identity
  | mlp  = linear(d) >> relu
network = EMBED Mix(8) >> global_avgpool >> linear(2)
data npz("words.npz", train=120, validation=60)
train { epochs 20, batch 16, sgd(lr=0.5) }
objective { maximize accuracy }
search random { samples 2, seed 0 }
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Sentences of six words out of ten; those with the word 7 in them are of class 1."""
    draw = np.random.default_rng(0)
    x = draw.integers(0, 7, (240, 6))
    y = np.arange(240) % 2
    x[y == 1, 2] = 7
    np.savez(tmp_path / "words.npz", x_train=x, y_train=y)
    return tmp_path


def test_a_network_of_words_learns(folder: Path) -> None:
    file = folder / "words.nas"
    file.write_text(TEXT.replace("KIND", "int").replace("EMBED", "embedding(10, 8) >>"))
    space = nasdsl.load(file)
    assert str(space.inputs[0]) == "int[6]"
    module = nasdsl.compile(space[0])
    assert module(torch.zeros(3, 6, dtype=torch.int64)).shape == (3, 2)
    found = run(file, out=folder / "run", progress="quiet")
    assert [t.state for t in found.trials] == ["complete"] * 2
    assert max(t.objectives["accuracy"] for t in found.trials) > 90


def test_words_do_not_fit_an_input_of_real_numbers(folder: Path) -> None:
    file = folder / "words.nas"
    text = TEXT.replace("KIND", "float").replace("EMBED", "linear(8) >>")
    file.write_text(text.replace("global_avgpool >> ", ""))
    with pytest.raises(DiagnosticError) as caught:
        run(file, out=folder / "run", progress="quiet")
    assert "int[6]" in str(caught.value)
