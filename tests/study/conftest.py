"""What the tests of studies share."""

from __future__ import annotations

import pytest

from nasdsl.study.run import StudyResult, run
from tests.study.tiny_run import TEXT


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> StudyResult:
    """One uninterrupted run that the others are compared with."""
    return run(TEXT, out=tmp_path_factory.mktemp("runs") / "whole", progress="quiet")
