import sqlite3
from pathlib import Path

from nasdsl.study.store import create, view

folder = Path("run")
folder.mkdir()
create(folder, {"name": "tiny"})
connection = sqlite3.connect(folder / "study.sqlite")
connection.execute("PRAGMA user_version = 1000")
connection.close()
view(folder)
