"""NA-DARTS: DARTS on the mean loss over a differentiable neighborhood of the mixture.

Source: X. Wang, S. Cao, M. Li, K. Kitani, "Neighborhood-Aware Neural Architecture Search",
BMVC 2021 (arXiv 2105.06369). The decisions' gradient is that of the mean over the mixture and
some of its neighbors, drawn anew for each step; :mod:`nasdsl.training.oneshot.mixture` says what
a neighbor is. A step costs one more pass for each, and the weights learn as in DARTS.
"""

from __future__ import annotations

from nasdsl.language.settings import Option
from nasdsl.search.darts import OPTIONS as DARTS_OPTIONS

OPTIONS = (
    Option("neighbors", "int", 10, minimum=1, doc="neighbors drawn for each step"),
    *DARTS_OPTIONS,
)
