"""Proxies of the samples' input gradients: jacov and epe_nas of one, jacob_fro of all outputs."""

from __future__ import annotations

import torch
from torch import Tensor

from nasdsl.objectives.proxies.outcome import Undefined
from nasdsl.objectives.proxies.subject import Subject, sensitivities

_K = 1e-5
MANY_CLASSES = 100


def jacov(gradients: Tensor) -> float:
    """``-sum_i [ln(l_i + k) + 1 / (l_i + k)]`` over the eigenvalues of the correlations.

    Args:
        gradients: of the summed outputs, one row a sample, [N, D].
    """
    # Rounding can make an eigenvalue of a correlation matrix slightly negative.
    values = torch.linalg.eigvalsh(_correlations(gradients)).clamp_min(0) + _K
    return float(-(values.log() + 1 / values).sum())


def epe_nas(gradients: Tensor, y: Tensor) -> float:
    """The sum over classes of ``|s_c|``, s_c the sum of ``ln(|c| + k)`` over its correlations.

    With more than a hundred classes in the batch each s_c is divided by its number of samples,
    and their pairwise differences are summed and divided by the number of classes.

    Args:
        gradients: as for :func:`jacov`.
        y: classes [N].
    """
    if y.is_floating_point() or y.dim() != 1:
        raise Undefined("its targets are not one class a sample")
    classes = torch.unique(y)
    scores = []
    for label in classes:
        own = gradients[y == label]
        score = (_correlations(own).abs() + _K).log().sum()
        scores.append(score / len(own) if len(classes) > MANY_CLASSES else score)
    found = torch.stack(scores)
    if len(classes) <= MANY_CLASSES:
        return float(found.abs().sum())
    return float((found[:, None] - found).abs().sum() / 2 / len(found))


def _correlations(rows: Tensor) -> Tensor:
    """Pearson correlations of the rows in float64, [N, N]; 1 for a single row."""
    centered = rows.double() - rows.double().mean(1, keepdim=True)
    norms = centered.norm(dim=1, keepdim=True)
    if not torch.isfinite(norms).all():
        raise Undefined("its input gradients are not finite")
    if (norms == 0).any():
        raise Undefined("its output does not depend on the input of some sample")
    unit = centered / norms
    found: Tensor = (unit @ unit.T).clamp(-1, 1)
    return found


def jacob_fro(subject: Subject, x: Tensor, output: Tensor) -> float:
    """``mean_n ||d output_n / d x_n||_F``, exactly: one backward pass for each output.

    Args:
        subject: the network and the batch.
        x: the inputs as a leaf of the graph.
        output: of a pass in which samples are independent, [N, K].
    """
    flat = output.flatten(1)
    squares = torch.zeros(len(x), dtype=torch.float64, device=x.device)
    for column in range(flat.shape[1]):
        (gradient,) = sensitivities(flat[:, column].sum(), [x])
        squares += gradient.detach().double().flatten(1).square().sum(1)
    return float(squares.sqrt().mean())
