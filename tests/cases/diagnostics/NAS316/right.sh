nasdsl show space.nas right.json
