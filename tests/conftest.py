"""How properties are tried: new cases on a person's machine, the same ones where CI is set."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("fixed", derandomize=True, database=None, print_blob=True)
if os.environ.get("CI"):
    settings.load_profile("fixed")
