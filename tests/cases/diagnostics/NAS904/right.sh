nasdsl compile space.nas 0 -o model.py -q
