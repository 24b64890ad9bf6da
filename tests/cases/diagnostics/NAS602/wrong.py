from pathlib import Path

from nasdsl.study.store import create, resume

folder = Path("run")
folder.mkdir()
create(folder, {"name": "tiny"})
with resume(folder):
    resume(folder)
