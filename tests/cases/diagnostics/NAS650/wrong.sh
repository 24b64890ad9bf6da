nasdsl score wrong_space.nas 0
