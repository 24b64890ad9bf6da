from nasdsl.study.run import run

run("space.nas", out="run", progress="quiet")
