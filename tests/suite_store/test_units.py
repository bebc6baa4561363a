"""Figures of single domains: older ones lack what newer ones have."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dareps.engine.outcome import UnitScore
from dareps.suite.units import kind_of_unit, over_tasks, with_summaries
from dareps.tasks import KINDS


def test_results_without_calibration_are_pooled_and_averaged_without_it() -> None:
    kind, labels = KINDS["classification"], np.array([0, 1, 1])
    found = kind.scores(labels, np.eye(2)[[0, 1, 0]])
    old = {name: value for name, value in found.metrics.items() if name != "calibration_error"}
    new = UnitScore("kind", "a", "last", 1, 3, found.primary, found.metrics, found.confusion, found.sums)
    units = [new, replace(new, domain="b", metrics=old, sums=[])]
    *_, average, together = with_summaries(units)
    assert average.metrics == together.metrics == old
    assert kind_of_unit(units[1]) is kind
    both = list(with_summaries([new, replace(new, domain="b")]))[-1]
    assert both.metrics == pytest.approx(new.metrics)
    other = replace(new, task="other", domain="b")
    assert list(over_tasks([new, other])) == []
