import dataclasses

import torch

from nasdsl.operations.registry import register
from nasdsl.operations.table import OPERATIONS

facts = dataclasses.replace(OPERATIONS["relu"], name="someones_relu")


@register(facts)
def code(settings, inputs, output):
    return torch.nn.ReLU()
