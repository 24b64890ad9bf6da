nasdsl show space.nas skip-conv3
