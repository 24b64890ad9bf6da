"""Copies with noisy weights in one pass against one pass for each."""

from __future__ import annotations

import torch

from nasdsl.objectives.contract import small_data, small_module
from nasdsl.objectives.weight_noise import noisy_weights
from nasdsl.training.loop import predict
from nasdsl.training.population_copies import predict_copies


def test_copies_give_what_each_gives_by_itself() -> None:
    data, module = small_data(), small_module()
    copies = [noisy_weights(module, 0.1, 3, copy) for copy in range(4)]
    before = {name: p.clone() for name, p in module.state_dict().items()}
    found = predict_copies(module, copies, data, data.validation.x, batch=25)
    assert module.training and all(
        torch.equal(before[n], p) for n, p in module.state_dict().items()
    )
    for copy, weights in enumerate(copies):
        alone = small_module()
        alone.load_state_dict({**alone.state_dict(), **weights})
        wanted = predict(alone, data, data.validation.x)
        torch.testing.assert_close(found[copy], wanted, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(found[0], found[1])
