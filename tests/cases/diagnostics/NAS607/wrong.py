import resource
from pathlib import Path

from nasdsl.study.store import create

# No file may grow beyond 2,000 bytes, as on a disk that is full.
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
folder = Path("run")
folder.mkdir()
create(folder, {"name": "tiny"})
