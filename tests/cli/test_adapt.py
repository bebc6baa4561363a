"""`dareps adapt`: from files to predictions, a model and a page, without target labels."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from dareps import load
from dareps.data.own._images import names
from dareps.engine.outcome import Identity, Outcome, Selected
from dareps.maths.label_shift import ClassShares
from dareps.suite.answering import Predicted, cautions, chosen, scored
from dareps.transfer.relation import Distance
from tests.own._files import cells, images, save, text

from ._ask import ask, refused

QUICK = ("--seeds", 1, "--workers", 1, "--recipes", "source_only,deep_coral", "phases.*.steps=20")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tables, the target without labels, and what `adapt` made of them."""
    path = tmp_path_factory.mktemp("adapt")
    save(path / "old shop.csv", text(cells(120)))
    save(path / "new.csv", text(cells(50, 1), ";", comma=True, label=False))
    result = ask(
        "adapt", "--source", path / "old shop.csv", "--target", path / "new.csv", "--out", path / "out", *QUICK
    )
    assert result.exit_code == 0, result.stderr
    (path / "said.txt").write_text(result.stdout)
    return path


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_it_says_what_it_found_and_what_it_chose(folder: Path) -> None:
    said = (folder / "said.txt").read_text()
    assert "rows: old_shop 120, new 50" in said
    assert "label bought: 2 classes: no, yes (in old_shop)" in said
    assert "shift: proxy A-distance" in said
    assert "chosen without target labels: " in said


def test_every_target_row_has_a_prediction_with_its_confidence(folder: Path) -> None:
    found = rows(folder / "out" / "predictions.csv")
    assert [int(row["row"]) for row in found] == list(range(50))
    assert {row["prediction"] for row in found} <= {"no", "yes"}
    assert all(0.5 <= float(row["confidence"]) <= 1 for row in found)


def test_the_model_gives_the_same_predictions(folder: Path) -> None:
    [line] = [line for line in (folder / "said.txt").read_text().splitlines() if line.startswith("Model: ")]
    model = load(line.removeprefix("Model: "))
    from dareps.recipe.own_data import load_description

    x = load_description(folder / "out" / "own.yaml")().rows("new").x
    names = [model.classes[label] for label in model.predict(x)]
    assert names == [row["prediction"] for row in rows(folder / "out" / "predictions.csv")]
    again = ask("predict", line.removeprefix("Model: "), folder / "new.csv")
    assert again.exit_code == 0, again.stderr
    assert [said.split(",")[1] for said in again.stdout.splitlines()[1:]] == names
    message = refused("predict", line.removeprefix("Model: "), folder / "out" / "leaderboard.csv")
    assert "the table lacks the column age" in message


def test_the_leaderboard_and_the_page(folder: Path) -> None:
    found = rows(folder / "out" / "leaderboard.csv")
    assert {row["recipe"] for row in found} == {"source_only", "deep_coral"}
    assert [float(row["score"]) for row in found] == sorted((float(row["score"]) for row in found), reverse=True)
    assert all(row["target"] == "" for row in found), "there were no target labels to test on"
    page = (folder / "out" / "report.html").read_text(encoding="utf-8")
    for words in ("bought on new", "Chosen: ", "Predicted classes", "How far apart", "predictions.csv"):
        assert words in page
    assert "http" not in page.replace("http://www.w3.org", "")


def test_it_goes_on_where_it_was_and_trains_nothing_twice(folder: Path) -> None:
    words = ("--source", folder / "old shop.csv", "--target", folder / "new.csv", "--out", folder / "out")
    result = ask("adapt", *words, *QUICK)
    assert result.exit_code == 0, result.stderr
    assert "2 of 2 runs are finished already." in result.stderr


def test_target_labels_are_for_testing_alone(folder: Path, tmp_path: Path) -> None:
    """With labels, or other ones, the same is chosen and predicted; only the target column is there."""
    answers = []
    strange = [(*row[:3], f"{place / 7}" if place else "yes") for place, row in enumerate(cells(50, 1))]
    for name, own in (("right", cells(50, 1)), ("wrong", strange)):
        (tmp_path / name).mkdir()
        save(tmp_path / name / "new.csv", text(own))
        words = ("--source", folder / "old shop.csv", "--target", tmp_path / name / "new.csv", "--label", "bought")
        assert ask("adapt", *words, "--out", tmp_path / name / "out", *QUICK).exit_code == 0
        board = rows(tmp_path / name / "out" / "leaderboard.csv")
        assert all(row["target"] for row in board)
        answers.append(((tmp_path / name / "out" / "predictions.csv").read_text(), [row["score"] for row in board]))
    assert answers[0] == answers[1]
    assert answers[0][0] == (folder / "out" / "predictions.csv").read_text()


def test_regression(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(120, 3))
    np.savez(tmp_path / "a.npz", x=x, y=x @ [1.0, -2.0, 0.5])
    np.savez(tmp_path / "b.npz", x=draw.normal(size=(40, 3)) + 0.5)
    words = ("--source", tmp_path / "a.npz", "--target", tmp_path / "b.npz", "--out", tmp_path / "out", *QUICK)
    result = ask("adapt", *words)
    assert result.exit_code == 0, result.stderr
    assert "label y: numbers" in result.stdout
    assert "importance_weighted" in result.stdout
    assert "source R2, %" in result.stdout
    found = rows(tmp_path / "out" / "predictions.csv")
    assert list(found[0]) == ["row", "prediction"]
    assert all(np.isfinite(float(row["prediction"])) for row in found)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--source", "gone.csv", "--target", "new.csv"), "there is no such file"),
        (("--source", "new.csv", "--target", "new.csv"), "it is not clear which column is the label"),
        (("--source", "old shop.csv", "--target", "new.csv", "--label", "sold"), "no file has this label"),
        (("--source", "old shop.csv", "--target", "new.csv", "--task", "ranking"), "no such kind of task"),
        (("--source", "old shop.csv", "--target", "new.csv", "--recipes", "dannn"), "Did you mean 'dann'"),
        (("--source", "old shop.csv", "--target", "new.csv", "--task", "regression"), "no number"),
    ],
)
def test_mistakes_are_one_line(
    words: tuple[str, ...], message: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    assert message in refused("adapt", *words, "--out", tmp_path / "out")


def run(recipe: str, seed: int, score: float, warnings: tuple[str, ...] = ()) -> Outcome:
    identity = Identity(f"{recipe}{seed}", recipe, "own", "a", "b", "y", "paper", seed, {})
    row = Selected("last", 5, score, 0.9, float("nan"), {}, [])
    return Outcome(identity, "ok", selected=(row,), warnings=warnings)


def test_the_best_score_wins_but_not_that_of_a_recipe_that_collapsed() -> None:
    runs = [run("a", 0, 0.5), run("a", 1, 0.7), run("b", 0, 0.9, ("collapse",)), run("b", 1, 0.9), run("c", 0, 0.4)]
    places = scored(runs, "last")
    assert [(own.recipe, own.n) for own in places] == [("b", 2), ("a", 2), ("c", 1)]
    assert places[1].score == pytest.approx(0.6)
    best = chosen(runs, places, "last")
    assert (best.identity.recipe, best.identity.seed) == ("a", 1)


def test_what_speaks_against_adaptation_is_said() -> None:
    alike = Distance(0.02, 0.0, 0.6, (100, 100), 3)
    far = Distance(1.5, 0.4, 0.005, (100, 100), 3)
    sure = Predicted(("no", "yes"), np.zeros(4, int), np.full(4, 0.99), 1.0)
    plain = run("source_only", 0, 0.5)
    texts = "\n".join(cautions(alike, scored([plain], "last"), plain, sure))
    for words in ("No shift was found", "already confident", "No target row is predicted to be of yes"):
        assert words in texts
    assert "The choice is" not in texts, "there was none"
    worse = scored([plain, run("dann", 0, 0.4)], "last")
    assert "no recipe has a better score" in "\n".join(cautions(alike, worse, plain, sure))
    other = run("dann", 0, 0.5)
    unsure = Predicted(("no", "yes"), np.asarray([0, 1]), np.full(2, 0.6), 0.5)
    assert cautions(far, scored([other], "last"), other, unsure) == []


def test_of_equal_scores_the_model_without_adaptation_is_taken_and_it_is_said() -> None:
    runs = [run("dann", 0, 0.5), run("source_only", 0, 0.5), run("coral", 0, 0.5, ("collapse",)), run("mcc", 0, 0.1)]
    places = scored(runs, "last")
    best = chosen(runs, places, "last")
    assert best.identity.recipe == "source_only"
    unsure = Predicted(("no", "yes"), np.asarray([0, 1]), np.full(2, 0.6), 0.5)
    texts = cautions(Distance(1.5, 0.4, 0.005, (100, 100), 3), places, best, unsure)
    assert "The score cannot tell source_only, dann apart: the first was taken." in texts


def test_class_shares_are_told_as_intervals_with_what_they_assume() -> None:
    quarter, half = np.asarray([0.25, 0.75]), np.asarray([0.5, 0.5])
    shares = ClassShares(quarter, quarter - 0.1, quarter + 0.1, half, singular=0.8, unexplained=0.0)
    found = Predicted(("no", "yes"), np.asarray([0, 1, 1, 1]), np.full(4, 0.6), 0.5, shares)
    for proxy, doubt in ((0.0, "both sides."), (1.5, "both sides, which the distance between them leaves open.")):
        own = run("dann", 0, 0.5)
        texts = cautions(Distance(proxy, 0.0, 0.5, (100, 100), 3), scored([own], "last"), own, found)
        assert "no 15 to 35 % (in the source 50 %), yes 65 to 85 %" in texts[-1]
        assert f"a class looks the same on {doubt}" in texts[-1]


def test_a_mistake_does_not_keep_the_folder(folder: Path, tmp_path: Path) -> None:
    words = ("--source", folder / "old shop.csv", "--target", folder / "new.csv", "--out", tmp_path / "out")
    refused("adapt", *words, "--column", "city=number", *QUICK)
    result = ask("adapt", *words, *QUICK)
    assert result.exit_code == 0, result.stderr
    assert "the folder holds an answer" in refused("adapt", *words, "--column", "city=ignore", *QUICK)
    assert "no shipped one has this name, got 'dan_n'" in refused("adapt", *words, "--recipes", "dan_n")


def test_few_shots_need_labels(folder: Path, tmp_path: Path) -> None:
    words = ("--source", folder / "old shop.csv", "--target", folder / "new.csv", "--out", tmp_path / "out")
    message = refused("adapt", *words, "--few-shot", 4)
    assert "error: --few-shot: no row of the target (new) has a label, got 4. Give labels (bought)" in message


def test_a_few_target_labels_may_be_trained_on(folder: Path, tmp_path: Path) -> None:
    save(tmp_path / "new.csv", text(cells(50, 1)))
    words = ("--source", folder / "old shop.csv", "--target", tmp_path / "new.csv", "--label", "bought")
    few = ("--seeds", 1, "--workers", 1, "phases.*.steps=20")
    result = ask("adapt", *words, "--few-shot", 4, *few, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    assert "chosen by 1 target label of each class" in result.stdout
    page = " ".join((tmp_path / "out" / "report.html").read_text(encoding="utf-8").split())
    assert "by target_score, by 1 target label of each class" in page
    assert "4 of each class with labels" in page
    assert "without target labels" not in page
    assert "reads no target label" not in page
    tried = {row["recipe"] for row in rows(tmp_path / "out" / "leaderboard.csv")}
    assert tried == {"source_only", "fine_tuning", "source_and_target"}
    models = [path.read_bytes() for path in (tmp_path / "out" / "models").glob("*/model.safetensors")]
    assert len(set(models)) == 3
    result = ask("adapt", *words, "--few-shot", 3, "--recipes", "source_and_target", *few, "--out", tmp_path / "three")
    assert "chosen by a rule that reads no target labels" in result.stdout
    assert "fewer than 4 labels of a class leave none to choose by" in " ".join(result.stderr.split())


def test_without_time_or_rows_it_says_so(folder: Path, tmp_path: Path) -> None:
    words = ("--source", folder / "old shop.csv", "--target", folder / "new.csv")
    assert "no run has finished" in refused("adapt", *words, "--budget", 0, "--out", tmp_path / "out", *QUICK)
    save(tmp_path / "one.csv", text(cells(1), label=False))
    words = ("--source", folder / "old shop.csv", "--target", tmp_path / "one.csv")
    assert "adapt: a side has fewer than two rows to learn from" in refused("adapt", *words, "--out", tmp_path / "one")
    save(tmp_path / "ten.csv", text(cells(10), label=False))
    words = ("--source", folder / "old shop.csv", "--target", tmp_path / "ten.csv")
    result = ask("adapt", *words, "--out", tmp_path / "ten", *QUICK)
    assert result.exit_code == 0, result.stderr
    assert len(rows(tmp_path / "ten" / "predictions.csv")) == 10


def test_target_rows_that_are_source_rows_are_told(folder: Path, tmp_path: Path) -> None:
    save(tmp_path / "same.csv", text(cells(120)[:40], label=False))
    words = ("--source", folder / "old shop.csv", "--target", tmp_path / "same.csv")
    result = ask("adapt", *words, "--out", tmp_path / "out", *QUICK)
    assert result.exit_code == 0, result.stderr
    assert "40 of 40 rows of same are rows of the source as well" in result.stderr


def test_a_stop_is_no_mistake_and_says_how_to_go_on(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dareps.commands.adapt.carried_out", lambda *_: (True, []))
    words = ("--source", folder / "old shop.csv", "--target", folder / "new.csv", "--out", tmp_path / "out")
    result = ask("adapt", *words, *QUICK)
    assert result.exit_code == 130
    assert "The same command continues" in result.stderr


def test_an_answer_about_other_files_is_not_written_over(folder: Path, tmp_path: Path) -> None:
    save(tmp_path / "other.csv", text(cells(30, 2), label=False))
    words = ("--source", folder / "old shop.csv", "--target", tmp_path / "other.csv")
    before = (folder / "out" / "own.yaml").read_text()
    assert "an answer about other files" in refused("adapt", *words, "--out", folder / "out", *QUICK)
    assert (folder / "out" / "own.yaml").read_text() == before
    (tmp_path / "file").write_text("no folder")
    result = ask("adapt", *words, "--out", tmp_path / "file" / "out", *QUICK)
    assert result.exit_code == 2
    assert "cannot be written" in result.stderr


def test_images_are_named_in_the_predictions(tmp_path: Path) -> None:
    images(tmp_path / "labelled", count=8)
    images(tmp_path / "asked", classes=(), count=6)
    words = ("--source", tmp_path / "labelled", "--target", tmp_path / "asked", "--out", tmp_path / "out")
    result = ask("adapt", *words, *QUICK)
    assert result.exit_code == 0, result.stderr
    found = rows(tmp_path / "out" / "predictions.csv")
    assert list(found[0]) == ["row", "image", "prediction", "confidence"]
    assert [row["row"] for row in found] == [str(number) for number in range(6)]
    assert tuple(row["image"] for row in found) == names(tmp_path / "asked")
    assert {row["prediction"] for row in found} <= {"cat", "dog"}
    [line] = [line for line in result.stdout.splitlines() if line.startswith("Model: ")]
    again = ask("predict", line.removeprefix("Model: "), tmp_path / "asked")
    assert again.exit_code == 0, again.stderr
    lines = list(csv.DictReader(again.stdout.splitlines()))
    assert list(lines[0]) == ["row", "image", "class", "confidence"]
    same = [(row["row"], row["image"], row["prediction"]) for row in found]
    assert [(row["row"], row["image"], row["class"]) for row in lines] == same
