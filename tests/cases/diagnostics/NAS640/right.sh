nasdsl run always.nas -q -o run
