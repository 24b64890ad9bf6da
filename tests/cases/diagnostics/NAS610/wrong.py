from nasdsl.study.run import run

run()
