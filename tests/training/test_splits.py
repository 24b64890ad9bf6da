"""Splits: apart, stratified, fixed by their seed; what a search sees holds no test sample."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nasdsl.diagnostics import DiagnosticError
from nasdsl.operations.operation import TensorType
from nasdsl.training.data import Dataset, Split, check_fit, load, load_test
from nasdsl.training.data.dataset import statistics
from nasdsl.training.data.split import amount, draw
from nasdsl.training.settings import DataSettings, TrainSettings


@given(
    st.lists(st.integers(0, 4), min_size=2, max_size=80),
    st.floats(0.05, 0.95),
    st.integers(0, 1000),
)
def test_a_draw_parts_the_indices_in_proportion(labels, share, seed):
    y = np.array(labels)
    indices = np.arange(len(y))
    count = round(share * len(y))
    taken, rest = draw(y, indices, count, "k", seed)
    assert len(taken) == count
    assert sorted([*taken, *rest]) == indices.tolist()
    for label in set(labels):
        exact = (y == label).sum() * count / len(y)
        assert abs((y[taken] == label).sum() - exact) < 1


def test_draws_depend_on_their_key():
    y = np.zeros(1000, int)
    first, _ = draw(y, np.arange(1000), 100, "a", 0)
    again, _ = draw(y, np.arange(1000), 100, "a", 0)
    other, _ = draw(y, np.arange(1000), 100, "a", 1)
    assert np.array_equal(first, again)
    assert len(np.intersect1d(first, other)) < 40


def test_draws_are_uniform_within_a_class():
    y = np.arange(40) % 2
    counts = np.zeros(40)
    for seed in range(600):
        counts[draw(y, np.arange(40), 10, seed)[0]] += 1
    # Each is drawn with probability 1/4; 5 standard deviations of a binomial are 53.
    assert np.abs(counts - 150).max() < 53


def test_float_targets_and_masks_are_drawn_too():
    for y in (np.linspace(0, 1, 30), np.zeros((30, 4, 4), int)):
        taken, rest = draw(y, np.arange(30), 12, 0)
        assert len(taken) == 12
        assert sorted([*taken, *rest]) == list(range(30))


def test_amounts():
    assert amount(0.25, 10) == 2
    assert amount(7.0, 10) == 7
    assert amount(1.0, 10) == 1


def rows(x):
    return {row.tobytes() for row in x.numpy()}


def test_digits_splits_are_apart():
    given_ = DataSettings()
    data, test = load(given_), load_test(given_)
    parts = [rows(data.train.x), rows(data.validation.x), rows(test.x)]
    assert [len(p) for p in parts] == [600, 800, 359]
    assert not parts[0] & parts[1]
    assert not parts[0] & parts[2]
    assert not parts[1] & parts[2]
    assert {len(c) for c in (data.classes,)} == {10}


def test_the_test_split_does_not_move_with_the_others():
    test = load_test(DataSettings())
    assert torch.equal(test.x, load_test(DataSettings(train=50, validation=0.3)).x)
    assert not torch.equal(test.x, load_test(DataSettings(seed=1)).x)


def test_fewer_training_samples_are_some_of_the_more_and_leave_validation_alone():
    few, many = load(DataSettings(train=100)), load(DataSettings(train=None))
    assert len(few.train) == 100
    assert len(many.train) == 1797 - 359 - 800
    assert rows(few.train.x) < rows(many.train.x)
    assert torch.equal(few.validation.x, many.validation.x)


def test_data_are_read_once():
    assert load(DataSettings()) is load(DataSettings())
    assert load(DataSettings()) is not load(DataSettings(seed=3))


def test_a_changed_file_is_read_again(tmp_path):
    given_ = DataSettings(source="npz", path="a.npz", train=None, validation=0.5, noise=0.0)
    path = tmp_path / "a.npz"
    x = np.arange(40, dtype=np.float32).reshape(20, 2)
    np.savez(path, x_train=x, y_train=np.arange(20) % 2)
    first = load(given_, tmp_path)
    np.savez(path, x_train=x + 100, y_train=np.arange(20) % 2)
    import os

    os.utime(path, ns=(1, 1))
    second = load(given_, tmp_path)
    assert torch.equal(second.train.x, first.train.x + 100)


def test_too_few_samples_is_said(tmp_path):
    for wrong in (
        DataSettings(validation=5000),
        DataSettings(validation=1438),
        DataSettings(test=1797.0),
        DataSettings(test=0.0),
        DataSettings(validation=1e-6),
    ):
        with pytest.raises(DiagnosticError) as error:
            load(wrong)
        assert error.value.diagnostics[0].code == "NAS704"


# ---- statistics and inputs ----------------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([(9, 3, 5, 4), (9, 5, 3), (9, 4)]))
def test_inputs_have_mean_zero_and_deviation_one(seed, shape):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * 3 + 5
    split = Split(x, torch.zeros(9, dtype=torch.int64))
    normal = Dataset("x", split, split, ("a",), *statistics(x)).inputs(x)
    axes = (0, 2, 3) if x.dim() == 4 else tuple(range(x.dim() - 1))
    assert normal.shape == x.shape
    assert normal.mean(axes).abs().max() < 1e-5
    assert (normal.std(axes, correction=0) - 1).abs().max() < 1e-5


def test_uint8_counts_as_zero_to_one_and_constants_do_not_divide_by_zero():
    x = torch.randint(0, 256, (5000, 2, 3, 3), dtype=torch.uint8)
    x[:, 1] = 255
    mean, std = statistics(x)
    exact = x[:, 0].double() / 255
    assert abs(mean[0, 0, 0, 0] - exact.mean()) < 1e-6
    assert abs(std[0, 0, 0, 0] - exact.std(correction=0)) < 1e-6
    assert (mean[0, 1], std[0, 1]) == (1, 1)


def test_tokens_stay_as_they_are():
    x = torch.arange(12).view(3, 4)
    split = Split(x, torch.zeros(3, dtype=torch.int64))
    data = Dataset("x", split, split, ("a",), *statistics(x))
    assert data.inputs(x) is x
    assert data.input == TensorType((4,), "int")


def test_joined_data_keep_the_statistics():
    data = load(DataSettings())
    joined = data.joined()
    assert len(joined.train) == 1400
    assert joined.mean is data.mean
    assert rows(joined.train.x) == rows(data.train.x) | rows(data.validation.x)


# ---- check_fit ----------------------------------------------------------------------------


def dataset(x, y, classes):
    split = Split(x, y)
    return Dataset("mine", split, split, classes, *statistics(x))


IMAGES = torch.zeros(4, 3, 8, 8)
LABELS = torch.zeros(4, dtype=torch.int64)
MASKS = torch.zeros(4, 8, 8, dtype=torch.int64)


@pytest.mark.parametrize(
    ("data", "input_type", "output_type"),
    [
        (dataset(IMAGES, LABELS, ("a", "b")), (3, 8, 8), (2,)),
        (dataset(IMAGES, MASKS, ("a", "b")), (3, 8, 8), (2, 8, 8)),
        (dataset(IMAGES, torch.zeros(4), ()), (3, 8, 8), (1,)),
        (dataset(IMAGES, torch.zeros(4, 5), ()), (3, 8, 8), (5,)),
    ],
)
def test_fitting(data, input_type, output_type):
    check_fit(data, TensorType(input_type), TensorType(output_type))


@pytest.mark.parametrize(
    ("data", "input_type", "output_type", "said"),
    [
        (dataset(IMAGES, LABELS, ("a", "b")), (1, 8, 8), (2,), "image[3, 8, 8]"),
        (dataset(IMAGES, LABELS, ("a", "b")), (3, 8, 8), (10,), "shape [2]"),
        (dataset(IMAGES, MASKS, ("a", "b")), (3, 8, 8), (2,), "shape [2, 8, 8]"),
        (dataset(IMAGES, torch.zeros(4, 5), ()), (3, 8, 8), (4,), "value by value"),
    ],
)
def test_not_fitting_says_what_to_do(data, input_type, output_type, said):
    with pytest.raises(DiagnosticError) as error:
        check_fit(data, TensorType(input_type), TensorType(output_type))
    assert error.value.diagnostics[0].code == "NAS703"
    assert said in error.value.diagnostics[0].notes[0].message


def test_augmentation_is_for_images():
    data = dataset(torch.zeros(4, 5), LABELS, ("a", "b"))
    check_fit(data, TensorType((5,)), TensorType((2,)), TrainSettings())
    for train in (TrainSettings(crop=4), TrainSettings(flip=True)):
        with pytest.raises(DiagnosticError, match="is for images"):
            check_fit(data, TensorType((5,)), TensorType((2,)), train)
