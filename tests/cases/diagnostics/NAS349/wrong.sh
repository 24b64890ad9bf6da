nasdsl path space.nas 0 4
