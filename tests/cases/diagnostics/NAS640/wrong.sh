nasdsl run once.nas --allow-python -q -o run
