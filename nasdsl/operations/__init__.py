"""What operations are, said without torch: parameters, shapes, costs."""

from nasdsl.operations.operation import (
    REQUIRED,
    Cost,
    Operation,
    Parameter,
    Settings,
    ShapeError,
    TensorType,
)
from nasdsl.operations.registry import register
from nasdsl.operations.resolve import SettingError, resolve
from nasdsl.operations.table import OPERATIONS, lookup

__all__ = [
    "OPERATIONS",
    "REQUIRED",
    "Cost",
    "Operation",
    "Parameter",
    "SettingError",
    "Settings",
    "ShapeError",
    "TensorType",
    "lookup",
    "register",
    "resolve",
]
