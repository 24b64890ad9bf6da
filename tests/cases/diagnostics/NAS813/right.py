import pickle

import nasdsl
from nasdsl.compiler import compile_supernet

space = nasdsl.load("space.nas")
again = pickle.loads(pickle.dumps(compile_supernet(space, "path")))
again.set_path(space[4])
