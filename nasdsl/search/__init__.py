"""Searchers: they see spaces and records, propose architectures, and never touch torch."""

from nasdsl.search.searcher import Candidate, Outcome, Searcher
from nasdsl.search.table import SEARCHERS, Kind, SearchSettings, lookup, read_search

__all__ = [
    "SEARCHERS",
    "Candidate",
    "Kind",
    "Outcome",
    "SearchSettings",
    "Searcher",
    "lookup",
    "read_search",
]
