nasdsl show space.nas 4 --svg out.svg --part Op -q
