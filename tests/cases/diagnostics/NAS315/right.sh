nasdsl show space.nas 1
