"""The loss around weights, against closed forms on linear regression."""

import math

import pytest
import torch
from torch import nn

from nasdsl.robustness.curvature import Surface, sharpness, top, traces
from nasdsl.training.data.dataset import Dataset, Split


def regression(samples=40, inputs=6, seed=0, at_minimum=True):
    """A linear network on float targets: the loss is the mean of squares, its Hessian constant."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(samples, inputs, generator=generator)
    y = torch.randn(samples, 1, generator=generator)
    data = Dataset("r", Split(x, y), Split(x, y), (), torch.zeros(inputs), torch.ones(inputs))
    module = nn.Linear(inputs, 1, bias=False)
    with torch.no_grad():
        solution = torch.linalg.lstsq(x, y).solution.T
        noise = torch.randn(1, inputs, generator=generator)
        module.weight.copy_(solution if at_minimum else solution + noise)
    hessian = 2 / samples * x.double().T @ x.double()
    return Surface(module.eval(), data, data.train, 16), hessian


def test_the_largest_eigenvalue_and_the_trace():
    surface, hessian = regression()
    exact = torch.linalg.eigvalsh(hessian)
    assert top(surface, 0, 300, 1e-7) == pytest.approx(float(exact[-1]), rel=1e-3)
    found = traces(surface, 0, 400)
    mean = math.fsum(found) / len(found)
    error = torch.tensor(found).std() / math.sqrt(len(found))
    assert abs(mean - float(hessian.trace())) < 4 * error
    for vector in (surface.drawn(1), surface.drawn(2, signs=True)):
        exact = hessian @ vector[0][0].double()
        assert surface.bent(vector)[0][0].tolist() == pytest.approx(exact.tolist(), rel=1e-4)


class Saddle(nn.Module):
    """Outputs ``sqrt(1 + a^2 - 3 b^2)``, so that the squared error has curvatures 2 and -6."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.zeros(2))

    def forward(self, x):
        a, b = self.w
        return torch.sqrt(1 + a * a - 3 * b * b).expand(len(x), 1)


def test_the_largest_eigenvalue_is_not_the_one_of_the_largest_magnitude():
    x, y = torch.zeros(4, 1), torch.zeros(4, 1)
    data = Dataset("s", Split(x, y), Split(x, y), (), torch.zeros(1), torch.ones(1))
    assert top(Surface(Saddle(), data, data.train, 4), 0, 200, 1e-8) == pytest.approx(2, rel=1e-3)


@pytest.mark.parametrize("at_minimum", [True, False])
def test_sharpness_of_a_bowl(at_minimum):
    surface, hessian = regression(at_minimum=at_minimum)
    rho = 0.3
    values, vectors = torch.linalg.eigh(hessian)
    slope = surface.slope(surface.weights)[0][0].double()
    # The worst point of the ball: on its border, where (H - m) e = -g for the largest m.
    if at_minimum:
        exact = float(values[-1]) * rho**2 / 2
    else:
        parts = vectors.T @ slope
        low, high = float(values[-1]), 1e6
        for _ in range(200):
            middle = (low + high) / 2
            size = float((parts / (middle - values)).norm())
            low, high = (middle, high) if size > rho else (low, middle)
        e = vectors @ (parts / (high - values))
        exact = float(slope @ e + e @ hessian @ e / 2)
    assert sharpness(surface, rho, False, 300, 0) == pytest.approx(exact, rel=1e-2)
    one = sharpness(surface, rho, False, 1, 0)
    assert 0 <= one <= exact * 1.01
    if not at_minimum:
        e = rho * slope / slope.norm()
        assert one == pytest.approx(float(slope @ e + e @ hessian @ e / 2), rel=1e-3)


def test_adaptive_sharpness_measures_in_multiples_of_the_weights():
    surface, hessian = regression(at_minimum=False)
    w = surface.weights[0][0].double()
    slope = surface.slope(surface.weights)[0][0].double()
    rho = 0.1
    e = rho * w**2 * slope / (w.abs() * slope).norm()
    exact = float(slope @ e + e @ hessian @ e / 2)
    assert sharpness(surface, rho, True, 1, 0) == pytest.approx(exact, rel=1e-3)


def test_the_module_is_left_alone_and_batches_do_not_matter():
    surface, _ = regression(at_minimum=False)
    weight = surface.module.weight.clone()
    other = Surface(surface.module, surface.data, surface.split, 1000)
    for measure in (
        lambda s: sharpness(s, 0.1, False, 3, 0),
        lambda s: top(s, 0),
        lambda s: traces(s, 0, 2)[1],
    ):
        assert measure(surface) == pytest.approx(measure(other), rel=1e-4)
    assert torch.equal(weight, surface.module.weight)
    assert surface.module.weight.grad is None
