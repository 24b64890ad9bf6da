"""Losses and accuracies against direct sums."""

import math

import pytest
import torch

from nasdsl.training.task import IGNORED, accuracy, loss


def test_cross_entropy_with_smoothing_is_its_definition():
    output = torch.tensor([[2.0, -1.0, 0.5], [0.0, 0.0, 3.0]])
    y = torch.tensor([0, 1])
    logs = output.double() - output.double().exp().sum(1, keepdim=True).log()
    for share in (0.0, 0.1):
        target = torch.full((2, 3), share / 3).double()
        target[[0, 1], y] += 1 - share
        assert loss(output, y, share).item() == pytest.approx(-(target * logs).sum(1).mean().item())


def test_masks_count_by_pixel_without_the_ignored():
    output = torch.zeros(1, 2, 2, 2)
    output[0, 1] = torch.tensor([[5.0, 5.0], [-5.0, -5.0]])
    y = torch.tensor([[[1, 0], [0, IGNORED]]])
    assert accuracy(output, y) == pytest.approx(200 / 3)
    each = [math.log(1 + math.exp(-5)), math.log(1 + math.exp(5)), math.log(1 + math.exp(-5))]
    assert loss(output, y).item() == pytest.approx(sum(each) / 3)


def test_values_by_mean_square_whatever_the_trailing_one():
    output = torch.tensor([[1.0], [3.0]])
    assert loss(output, torch.tensor([0.0, 1.0])).item() == 2.5
    assert loss(output, torch.tensor([[0.0], [1.0]])).item() == 2.5


def test_accuracy_is_in_percent_and_no_number_is_never_right():
    output = torch.tensor([[1.0, 0.0], [0.0, 1.0], [math.nan, 0.0], [math.inf, 0.0]])
    assert accuracy(output, torch.tensor([0, 0, 0, 0])) == 25.0
