"""Sharing schemes that do not fit what they are asked to share: one line that says what and how to mend it."""

from __future__ import annotations

import pytest

from tests.cli._ask import refused

ONE_TASK = "there is one branch only along tasks"


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["sharing={name: soft, along: tasks}"], (ONE_TASK, "Set sharing.along=domains or use sharing: hard.")),
        (["sharing=joint_many_tasks"], (ONE_TASK, "Use sharing: hard.")),
        (["sharing={name: joint_many_tasks, along: domains}"], ("domains predict nothing", "sharing: hierarchical")),
        (["sharing={name: hierarchical, until: conv3}"], ("the encoder has no such stage, got 'conv3'", "conv2")),
        (["sharing={name: soft, stages: {dens: 1.0}}"], ("the encoder has no such stage, got 'dens'", "dense")),
        (["sharing=hierarchical", "encoder=mlp"], ("no stages to split", "from (64,)", "at stage layer1")),
        (["sharing=hierarchial"], ("sharing", "hierarchial", "Did you mean 'hierarchical'?")),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_scheme_that_does_not_fit_is_refused_before_training(overrides: list[str], words: tuple[str, ...], tmp_path):
    message = " ".join(refused("train", "dann", *overrides, "phases.*.steps=1", "--out", tmp_path).split())
    for word in words:
        assert word in message
    assert "Traceback" not in message
