nasdsl score right_space.nas 0 -q
