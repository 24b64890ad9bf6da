from safetensors.torch import save_file

import nasdsl
from nasdsl.compiler.export import load_weights

space = nasdsl.load("space.nas")
save_file(nasdsl.compile(space[4]).state_dict(), "weights.safetensors")
load_weights(nasdsl.compile(space[0]), "weights.safetensors")
