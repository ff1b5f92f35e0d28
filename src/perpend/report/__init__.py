"""Results → one HTML file that opens offline, and the same summary for a terminal."""

from perpend.report.page import render, write_report

__all__ = ["render", "write_report"]
