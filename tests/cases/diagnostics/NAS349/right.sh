nasdsl path space.nas 4 0
