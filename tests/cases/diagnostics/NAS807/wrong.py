import sys

import nasdsl
from nasdsl.compiler.export import save_onnx

sys.modules.update({"onnx": None, "onnxscript": None})  # as if they were not installed
space = nasdsl.load("space.nas")
save_onnx(nasdsl.compile(space[4]), "network.onnx")
