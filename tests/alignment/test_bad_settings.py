"""Every number that a loss, a schedule or an optimizer is set to: what makes no sense is refused by its key."""

import types
from typing import Annotated, Union, get_args, get_origin

import pytest
from pydantic import ValidationError

from dareps.alignment import CMD, MMD, Alignment
from dareps.errors import ConfigError, config_error
from dareps.plugin import plugins
from dareps.recipe.bind import bind_run
from dareps.schedules import Schedule
from dareps.transfer._optimizer import Optimizer

ANY_SIGN = {("cmd", "low"), ("cmd", "high")}
NEVER = (float("nan"), float("inf"), float("-inf"), 1e40, "1", None, [1.0], {})


def numbers(annotation):
    """The numeric types among what a field accepts."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return numbers(arguments[0])
    if origin in (Union, types.UnionType):
        return {kind for argument in arguments for kind in numbers(argument)}
    return {annotation} & {int, float}


FIELDS = [
    (root, name, key)
    for root in (Alignment, Schedule, Optimizer)
    for name, part in plugins(root).items()
    if part.__module__.startswith("dareps.")
    for key, field in part.model_fields.items()
    if numbers(field.annotation)
]


@pytest.mark.parametrize(("root", "name", "key"), FIELDS, ids=[f"{name}.{key}" for _, name, key in FIELDS])
def test_a_number_that_makes_no_sense_is_refused_by_its_key(root, name, key):
    open_end = type(None) in get_args(plugins(root)[name].model_fields[key].annotation)
    bad = [
        *(value for value in NEVER if value is not None or not open_end),
        True,
        *(() if (name, key) in ANY_SIGN else (-1, -0.5)),
    ]
    for value in bad:
        with pytest.raises(ValidationError) as caught:
            root.bind({"name": name, key: value})
        assert key in str(config_error(caught.value, ""))


@pytest.mark.parametrize(
    ("name", "key"),
    [
        *(("mmd", "bandwidth"), ("joint_mmd", "bandwidth"), ("joint_mmd", "prediction_bandwidth")),
        *(("local_mmd", "bandwidth"), ("sinkhorn_divergence", "epsilon"), ("joint_ot", "epsilon")),
        *(("joint_ot", "alpha"), ("mcc", "temperature"), ("afn", "radius"), ("afn", "increment"), ("coral", "ridge")),
        *(("margin_disparity", "gamma"), ("cmd", "moments"), ("sliced_wasserstein", "projections")),
    ],
)
def test_zero_is_refused_where_it_divides(name, key):
    with pytest.raises(ValidationError):
        Alignment.bind({"name": name, key: 0})


@pytest.mark.parametrize(("low", "high"), [(0, 0), (1, 0), (1e10, 1e10), (-1, -2)])
def test_a_support_without_a_width_is_refused(low, high):
    with pytest.raises(ValidationError, match="high must exceed low"):
        CMD(low=low, high=high)


def test_a_bandwidth_whose_root_or_square_would_overflow_is_refused():
    for bandwidth in (1e-30, 1e30):
        with pytest.raises(ValidationError, match="out of range"):
            MMD(bandwidth=bandwidth)
    assert MMD(bandwidth=1e-18).bandwidth == 1e-18


def test_in_a_recipe_the_error_gives_the_path_of_the_key_and_what_fits():
    with pytest.raises(ConfigError, match=r"align\.0\.weight: a number out of range.*Choose one between") as caught:
        bind_run("dan", "digits8/fonts:scans", overrides=[("align.0.weight", 1e40)])
    assert "1e+40" in str(caught.value)
    with pytest.raises(ConfigError, match=r"align\.0\.bandwidth"):
        bind_run("dan", "digits8/fonts:scans", overrides=[("align.0.bandwidth", -1.0)])


def test_a_choice_of_kinds_names_the_key_and_all_that_fits():
    with pytest.raises(ConfigError) as caught:
        bind_run("dan", "digits8/fonts:scans", overrides=[("align.0.bandwidth", -1.0)])
    said = str(caught.value)
    assert said.startswith(
        "recipe dan.align.0.bandwidth: input should be 'mean', 'median' or 'running', or greater than 0"
    )
