"""From networks to torch.fx modules, and to Python source."""

from nasdsl.compiler.build import compile_network
from nasdsl.compiler.carrying import carry
from nasdsl.compiler.code import CODE
from nasdsl.compiler.module import CompiledNetwork
from nasdsl.compiler.plan import Place
from nasdsl.compiler.recipe import Module
from nasdsl.compiler.source import to_source
from nasdsl.compiler.supernet import compile_supernet, extract

__all__ = [
    "CODE",
    "CompiledNetwork",
    "Module",
    "Place",
    "carry",
    "compile_network",
    "compile_supernet",
    "extract",
    "to_source",
]
