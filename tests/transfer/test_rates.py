"""Every parameter that moves has one learning rate, whatever the tree of stages and the patterns."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dareps.errors import ConfigError
from dareps.transfer import Unfreeze, rate_factors, stages_below

NAMES = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=6, unique=True)


@st.composite
def trees(draw):
    """Stages, and the parts of a method that has them."""
    stages = draw(NAMES)
    sizes = {stage: draw(st.integers(0, 3)) for stage in stages}
    parts = {f"encoder.{stage}": [f"encoder.chain.{stage}.{n}" for n in range(sizes[stage])] for stage in stages}
    parts["encoder"] = [name for own in parts.values() for name in own] + ["encoder.mix"]
    parts["heads.t"] = ["heads.t.weight", "heads.t.bias"]
    parts["heads"] = parts["heads.t"]
    parts["*"] = parts["encoder"] + parts["heads"]
    return stages, parts


@given(tree=trees(), decay=st.floats(0.01, 1.0), data=st.data())
def test_every_parameter_has_one_rate(tree, decay, data):
    stages, parts = tree
    moving = data.draw(st.lists(st.sampled_from(parts["*"]), unique=True, min_size=1))
    found = rate_factors(moving, parts, stages, {}, decay, "here")
    assert list(found) == moving
    for name in moving:
        stage = name.split(".")[2] if name.startswith("encoder.chain") else None
        depth = len(stages) - stages.index(stage) if stage else 0
        assert found[name] == pytest.approx(decay**depth)


@given(tree=trees(), data=st.data())
def test_parts_that_share_a_parameter_are_refused_and_others_taken(tree, data):
    stages, parts = tree
    chosen = data.draw(st.lists(st.sampled_from(sorted(parts)), unique=True, max_size=3))
    rates = {part: 0.1 * (number + 1) for number, part in enumerate(chosen)}
    moving = parts["*"]
    members = [name for part in chosen for name in parts[part]]
    reasons = ["overlap"] if len(set(members)) < len(members) else []
    reasons += ["nothing of this part moves"] if any(not parts[part] for part in chosen) else []
    if reasons:
        with pytest.raises(ConfigError, match="|".join(reasons)):
            rate_factors(moving, parts, stages, rates, 1.0, "here")
    else:
        found = rate_factors(moving, parts, stages, rates, 1.0, "here")
        for name in moving:
            own = [rates[part] for part in chosen if name in parts[part]]
            assert found[name] == (own[0] if own else 1.0)


@given(stages=NAMES, data=st.data())
def test_stages_below_one_are_those_before_it(stages, data):
    place = data.draw(st.integers(0, len(stages) - 1))
    below = [f"encoder.{stage}" for stage in stages[:place]]
    assert stages_below(stages[place], stages, "here") == below
    assert stages_below(str(place - len(stages)), stages, "here") == below
    with pytest.raises(ConfigError, match="no such stage"):
        stages_below("zz", stages, "here")


@given(head=st.floats(0, 1), every=st.floats(0, 1), steps=st.integers(0, 1000), depth=st.integers(0, 8))
def test_deeper_stages_never_begin_earlier(head, every, steps, depth):
    rule = Unfreeze(head=head, every=every)
    assert 0 <= rule.begins(depth, steps) <= rule.begins(depth + 1, steps) <= steps
