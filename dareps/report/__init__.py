"""Reports of a results folder: tables, plots, one self-contained page, a table for the terminal."""

from __future__ import annotations

from dareps.report.console import console_leaderboard, console_notes
from dareps.report.write import write_report

__all__ = ["console_leaderboard", "console_notes", "write_report"]
