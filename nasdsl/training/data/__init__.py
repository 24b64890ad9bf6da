"""Data sets: one reader a file, one way to split them, samples on the device."""

from nasdsl.training.data.dataset import Dataset, Split, check_fit
from nasdsl.training.data.load import READERS, load, load_test

__all__ = ["READERS", "Dataset", "Split", "check_fit", "load", "load_test"]
