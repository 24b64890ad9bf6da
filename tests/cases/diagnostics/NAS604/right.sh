nasdsl run space.nas -o run -q
nasdsl trials run -q
