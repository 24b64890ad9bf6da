"""The table of all operations, by name."""

from __future__ import annotations

from nasdsl.operations import plugins
from nasdsl.operations.activation import ACTIVATION
from nasdsl.operations.attention import ATTENTION
from nasdsl.operations.basic import BASIC
from nasdsl.operations.combine import COMBINE
from nasdsl.operations.convolution import CONVOLUTION
from nasdsl.operations.dense import DENSE
from nasdsl.operations.mobile import MOBILE
from nasdsl.operations.normalization import NORMALIZATION
from nasdsl.operations.operation import Operation
from nasdsl.operations.pooling import POOLING
from nasdsl.operations.shape import SHAPE

OPERATIONS: dict[str, Operation] = {
    operation.name: operation
    for family in (
        BASIC,
        CONVOLUTION,
        NORMALIZATION,
        ACTIVATION,
        POOLING,
        DENSE,
        ATTENTION,
        MOBILE,
        SHAPE,
        COMBINE,
    )
    for operation in family
}


def lookup(name: str) -> Operation | None:
    """The operation of that name, or ``None``.

    A name that is not in the table has the installed packages asked for theirs.
    """
    if name not in OPERATIONS:
        plugins.load()
    return OPERATIONS.get(name)
