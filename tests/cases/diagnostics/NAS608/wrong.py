from pathlib import Path

from nasdsl.study.store import create, view

folder = Path("run")
folder.mkdir()
create(folder, {"name": "tiny"})
path = folder / "study.sqlite"
path.write_bytes(path.read_bytes()[:100] + b"?" * 5000)
view(folder)
