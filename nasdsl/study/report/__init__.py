"""The report of a run: one HTML file that opens offline."""

from nasdsl.study.report.aim import Aim
from nasdsl.study.report.page import Page, page

__all__ = ["Aim", "Page", "page"]
