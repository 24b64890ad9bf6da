nasdsl show space.nas 4 --svg out.svg --part Cell
