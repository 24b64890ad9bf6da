"""The report of a run: one HTML file that opens offline."""

from nasdsl.study.report.page import Aim, Page, page

__all__ = ["Aim", "Page", "page"]
