"""Crops and mirrors against a slow image-by-image version."""

import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from nasdsl.training.augment import augmented, draw
from nasdsl.training.task import IGNORED


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 3), st.booleans())
def test_against_one_image_at_a_time(seed, crop, flip):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(7, 2, 5, 4, generator=generator)
    y = torch.randint(0, 3, (7, 5, 4), generator=generator)
    draws = draw(7, crop, generator, "cpu")
    found, mask = augmented(x, y, crop, flip, draws)
    for i in range(7):
        top, left = int(draws.rows[i]), int(draws.columns[i])
        image = F.pad(x[i], (crop,) * 4)[:, top : top + 5, left : left + 4]
        labels = F.pad(y[i], (crop,) * 4, value=IGNORED)[top : top + 5, left : left + 4]
        if flip and draws.mirrored[i]:
            image, labels = image.flip(-1), labels.flip(-1)
        assert torch.equal(found[i], image)
        assert torch.equal(mask[i], labels)


def test_draws_cover_their_range_evenly():
    draws = draw(9000, 1, torch.Generator().manual_seed(0), "cpu")
    for starts in (draws.rows, draws.columns):
        assert (torch.bincount(starts, minlength=3) - 3000).abs().max() < 5 * 45
    assert abs(int(draws.mirrored.sum()) - 4500) < 5 * 48


def test_labels_are_left_alone():
    y = torch.arange(6)
    draws = draw(6, 2, torch.Generator().manual_seed(0), "cpu")
    assert augmented(torch.zeros(6, 1, 4, 4), y, 2, True, draws)[1] is y
