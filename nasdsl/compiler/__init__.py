"""From networks to torch.fx modules, and to Python source."""

from nasdsl.compiler.build import CompiledNetwork, compile_network
from nasdsl.compiler.code import CODE
from nasdsl.compiler.plan import Place
from nasdsl.compiler.recipe import Module
from nasdsl.compiler.source import to_source

__all__ = ["CODE", "CompiledNetwork", "Module", "Place", "compile_network", "to_source"]
