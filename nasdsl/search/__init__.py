"""Searchers: they propose candidates and never see torch."""
