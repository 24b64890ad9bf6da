import dataclasses

import torch

import nasdsl
from nasdsl.compiler import Module, to_source
from nasdsl.operations.registry import register
from nasdsl.operations.table import OPERATIONS

facts = dataclasses.replace(OPERATIONS["relu"], name="someones_relu")


@register(facts)
def code(settings, inputs, output):
    return Module(torch.nn.ReLU)


space = nasdsl.load("space.nas")
to_source(space[0].network)
