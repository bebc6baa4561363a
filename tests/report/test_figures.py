"""What stands on the figures: names of axes, classes and domains, and colours that mean something."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from dareps.engine.outcome import Outcome
from dareps.report._clouds import scatter_plot
from dareps.report._confusion import BETTER, SATURATION, WORSE, confusion_plot, shades
from dareps.report._figures import drawn
from dareps.report._plots import accuracy_plot, curves_plot
from dareps.report._section import HEADLINE, Section, sections
from dareps.report._style import looks
from dareps.report._tables import board_table, split_table

from ._demo import demo


def section_of(runs: Sequence[Outcome]) -> Section:
    return sections(runs, HEADLINE)[0]


@pytest.fixture(scope="module")
def whole() -> Section:
    return section_of(demo(seeds=2))


def test_curves_name_their_axes_and_count_whole_steps(whole: Section) -> None:
    figure = curves_plot(whole, looks(whole.recipes))
    assert figure is not None
    figure.draw_without_rendering()
    panels = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title() for axes in panels] == [name for name in whole.ordered if name != "linear_svm"]
    assert [axes.get_ylabel() for axes in panels if axes.get_subplotspec().is_first_col()] == ["accuracy %"] * 2
    # Four columns, seven panels: the last of the first row has none below.
    assert [bool(axes.get_xlabel()) for axes in panels] == [False, False, False, True, True, True, True]
    assert all(float(tick).is_integer() for axes in panels for tick in axes.get_xticks())
    assert figure.get_supylabel() == ""


def test_bounds_look_different() -> None:
    found = looks(["source_only", "target_only"])
    assert found["source_only"].colour != found["target_only"].colour


def test_recipes_without_curves_are_named(whole: Section) -> None:
    captions = {title: caption for title, caption, _ in drawn(whole, looks(whole.recipes))}
    assert "Without curves: linear_svm." in captions["Learning curves"]
    assert "axes of its own" in captions["Features, fonts:scans"]


def test_tables_and_figures_have_one_order(whole: Section) -> None:
    rows = [row.cells[0].text for group in board_table(whole).groups for row in group]
    assert rows == ["chosen", *whole.ordered]
    figure = accuracy_plot(whole, looks(whole.recipes))
    assert figure is not None
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()][::-1]
    assert labels == [name for name in rows if name not in ("source_only", "target_only")]


def test_without_recipes_or_pairs_there_is_no_empty_plot() -> None:
    alone = section_of(demo(seeds=1, recipes={"source_only": 0.0}))
    assert accuracy_plot(alone, looks(alone.recipes)) is None
    unpaired = section_of(demo(seeds=1, recipes={"mcc": 0.0}))
    figure = accuracy_plot(unpaired, looks(unpaired.recipes))
    assert figure is not None
    assert len(figure.axes) == 1
    assert "95 %" not in figure.axes[0].get_title()
    assert drawn(unpaired, looks(unpaired.recipes))[0][1] == ""


def test_small_dots_stand_clear_of_the_means(whole: Section) -> None:
    figure = accuracy_plot(whole, looks(whole.recipes))
    assert figure is not None
    heights = {float(y) for dots in figure.axes[1].collections for _, y in dots.get_offsets()}
    assert {round(y % 1, 2) for y in heights} == {0.0, 0.7}


def test_colours_of_a_difference_mean_good_and_bad() -> None:
    from matplotlib.colors import to_rgb

    image = shades(np.array([[30.0, -30.0], [5.0, -5.0]]), signed=True)
    colours = [[tuple(pixel[:3]) for pixel in row] for row in image]
    assert colours == [[to_rgb(BETTER), to_rgb(BETTER)], [to_rgb(WORSE), to_rgb(WORSE)]]
    assert image[0, 0, 3] == pytest.approx(0.6)
    assert image[1, 0, 3] == pytest.approx(0.6 * 5 / SATURATION)


def test_classes_are_named() -> None:
    runs = demo("amazon_reviews", seeds=1, classes=2, recipes={"source_only": 0.0, "mcc": 0.1})
    reviews = section_of([_with_task(run, "sentiment") for run in runs])
    figure = confusion_plot(reviews)
    assert figure is not None
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["negative", "positive"]
    assert figure.get_figheight() < 3
    clouds = scatter_plot(reviews, reviews.splits[0])
    assert clouds is not None
    keys = [[text.get_text() for text in part.legends[0].get_texts()] for part in clouds.subfigs]
    assert keys == [["source", "target"], ["negative", "positive", "source", "target"]]


def _with_task(run: Outcome, task: str) -> Outcome:
    from dataclasses import replace

    return replace(run, identity=replace(run.identity, task=task))


def test_unknown_datasets_have_numbered_classes(tmp_path: Path) -> None:
    figure = confusion_plot(section_of(demo("mine", seeds=1, classes=3)))
    assert figure is not None
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["0", "1", "2"]


def test_the_heat_table_names_no_sign(whole: Section) -> None:
    runs = demo(seeds=1, recipes={"source_only": 0.0, "dan": -0.2})
    note = split_table(section_of(runs)).note
    assert "+" not in note
    assert "points either way" in note
