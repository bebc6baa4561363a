"""The four ways to use a pretrained model, over sizes and similarities of the target, and how often advice was right.

With `--calibrate`, the constants of the advice are held against declared validation labels of other targets instead: no
test label is read there, and no cell of the suite is among them.
"""

from __future__ import annotations

SUITE, RULE, MINUTES, HELD = "cases", "last", 40.0, "target_score"
SHARE = 80.0
"""Cells in which advice shall be within a point of the best strategy, in percent."""
CALIBRATION = (
    ("variety", [f"varieties[shift={shift}]/stall:studio@{rows}+30" for shift in (0.1, 0.6) for rows in (9, 45, 110)]),
    ("kind", [f"attributes/solids:fruit@{rows}+50" for rows in (8, 40, 150)]),
    ("colour", [f"attributes/solids:fruit@{rows}+40" for rows in (8, 40, 150)]),
    ("digit", [f"digits8/{sides}@{rows}+18" for sides in ("fonts:scans", "scans:fonts") for rows in (10, 45)]),
)
"""Tasks, and the targets on which their models are tried."""
