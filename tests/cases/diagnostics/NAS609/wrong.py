import nasdsl
from nasdsl.study.run import run

result = nasdsl.run("space.nas", out="run", progress="quiet")
(result.folder / "space.nas").unlink()
run(resume=result.folder)
