nasdsl compile space.nas 0 -o none/model.py
