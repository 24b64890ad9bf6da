import sys

import nasdsl

sys.path.insert(0, "broken")
nasdsl.load("space.nas")
