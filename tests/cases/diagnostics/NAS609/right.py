import nasdsl
from nasdsl.study.run import run

result = nasdsl.run("space.nas", out="run", progress="quiet")
run(resume=result.folder, progress="quiet")
