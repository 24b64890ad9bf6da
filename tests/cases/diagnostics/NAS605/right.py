from pathlib import Path

from nasdsl.study.store import create, view

folder = Path("run")
folder.mkdir()
create(folder, {"name": "tiny"})
view(folder).close()
