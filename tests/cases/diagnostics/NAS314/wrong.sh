nasdsl show space.nas 9
