"""The studies are scripts that import what stands beside them: their folder is made importable."""

import sys
from pathlib import Path

STUDIES = Path(__file__).resolve().parents[2] / "examples" / "studies"
sys.path.insert(0, str(STUDIES))
