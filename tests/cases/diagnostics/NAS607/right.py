from pathlib import Path

from nasdsl.study.store import create

folder = Path("run")
folder.mkdir()
create(folder, {"name": "tiny"})
