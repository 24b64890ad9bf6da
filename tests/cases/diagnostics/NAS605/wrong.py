import sqlite3
from pathlib import Path

from nasdsl.study.store import view

connection = sqlite3.connect("study.sqlite")
connection.execute("CREATE TABLE trials (x)")
connection.close()
view(Path("."))
