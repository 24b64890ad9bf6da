nasdsl show space.nas 8
