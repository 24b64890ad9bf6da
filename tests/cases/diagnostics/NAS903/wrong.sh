nasdsl show space.nas wrong.json
