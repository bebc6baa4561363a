from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dareps.data._page_names import DOMAINS, GENRES, TOPIC_WORDS, TOPICS, WORDS
from dareps.data._pages import OWN, PIXELS, TONE, TOPICAL, Style, best, drawn, planned, rendered, word_shares
from dareps.data.catalogue import check
from dareps.data.pages import Pages
from dareps.data.split import make_split
from dareps.errors import ConfigError, DataError
from dareps.recipe.bind import bind_run

SMALL = Pages(rows_per_domain=96, test_rows=48)
STYLE = Style(480, 40, 0.5, 0.1, 0.7)
DOMAIN_NAMES = pytest.mark.parametrize("domain", DOMAINS)


def test_the_rows_are_those_of_every_machine() -> None:
    assert SMALL.checksum(DOMAINS) == "213e8a56c12bf44ab5c56f1d5dcc63ad"


@DOMAIN_NAMES
def test_rows_are_pixels_and_counts_and_classes_are_balanced(domain: str) -> None:
    rows = SMALL.rows(domain)
    assert rows.x.shape == (96, PIXELS + WORDS)
    assert rows.x.dtype == np.uint8
    assert set(rows.x[:, PIXELS:].sum(axis=1)) == {40}
    assert rows.test_x is not None
    assert not np.array_equal(rows.x[:48], rows.test_x)
    assert np.bincount(rows.y["topic"]).tolist() == [16] * len(TOPICS)
    assert np.bincount(rows.y["genre"]).tolist() == [24] * len(GENRES)
    assert len(set(zip(rows.y["topic"], rows.y["genre"], strict=True))) == len(TOPICS) * len(GENRES)


@DOMAIN_NAMES
@given(shift=st.floats(0, 1))
def test_shares_of_words_are_shares(domain: str, shift: float) -> None:
    shares = word_shares(domain, shift)
    assert shares.min() >= 0
    assert np.allclose(shares.sum(axis=2), 1)
    # The shift moves weight between the words of a topic and nothing else.
    own = shares[..., : len(TOPICS) * TOPIC_WORDS].reshape(len(TOPICS), 2, len(TOPICS), TOPIC_WORDS).sum(axis=3)
    expected = TOPICAL * np.kron(np.eye(3), [[OWN, 1 - OWN], [1 - OWN, OWN]])
    assert np.allclose(own, expected[:, None])


def test_without_shift_the_domains_are_alike_and_at_its_end_they_share_three_words() -> None:
    alike = [word_shares(domain, 0) for domain in DOMAINS]
    assert np.array_equal(*alike)
    apart = [word_shares(domain, 1)[0, 0, :TOPIC_WORDS] > 0 for domain in DOMAINS]
    assert np.flatnonzero(apart[0] & apart[1]).tolist() == [0, 1, 2]
    assert (apart[0] | apart[1]).all()


@DOMAIN_NAMES
@pytest.mark.parametrize("look_alike", [0.0, 0.5, 1.0])
def test_layout_and_tone_have_their_shares(domain: str, look_alike: float) -> None:
    plan = planned(domain, "train", replace(STYLE, look_alike=look_alike))
    assert np.array_equal(plan.layout // 2, plan.genre // 2)
    other = plan.layout != plan.genre
    assert [other[plan.genre == genre].mean() for genre in range(4)] == pytest.approx([look_alike / 2] * 4, abs=0.01)
    usual = plan.tone == plan.topic % 2
    assert [usual[plan.topic == topic].mean() for topic in range(6)] == pytest.approx([TONE] * 6, abs=0.01)


def test_a_setting_moves_its_own_view_alone() -> None:
    known = rendered("intranet", "train", STYLE)["x"]
    for setting, value, moved in (("words", 20, (False, True)), ("noise", 0.2, (True, False))):
        x = rendered("intranet", "train", replace(STYLE, **{setting: value}))["x"]
        parts = (slice(None, PIXELS), slice(PIXELS, None))
        assert tuple(not np.array_equal(known[:, part], x[:, part]) for part in parts) == moved


@DOMAIN_NAMES
def test_noise_has_its_deviation(domain: str) -> None:
    plan = planned(domain, "train", STYLE)
    clean, noisy = (drawn(domain, "train", replace(STYLE, noise=noise), plan).astype(float) for noise in (0.0, 0.05))
    middle = (clean > 64) & (clean < 191)
    assert (noisy - clean)[middle].std() / 255 == pytest.approx(0.05, rel=0.02)


@DOMAIN_NAMES
def test_layout_and_tone_can_be_read_from_clean_pages(domain: str) -> None:
    style = replace(STYLE, noise=0.0)
    train, test = (drawn(domain, part, style, planned(domain, part, style)).astype(float) for part in ("train", "test"))
    nearest = ((test[:, None] - train[None]) ** 2).sum(axis=2).argmin(axis=1)
    for part in ("layout", "tone"):
        known, asked = (getattr(planned(domain, name, style), part) for name in ("train", "test"))
        assert (known[nearest] == asked).mean() > 0.95


def test_the_best_scores_have_their_limits() -> None:
    # Without a look-alike the layout is the genre; one word says next to nothing, and layouts tell 3 of 4 pages' genre.
    assert best("magazine", "test", replace(STYLE, look_alike=0.0))["genre"] == 1
    little = best("magazine", "test", replace(STYLE, count=2400, words=1))
    assert little["genre"] == pytest.approx(0.75, abs=0.02)
    many = best("magazine", "test", replace(STYLE, words=250, look_alike=1.0))
    assert min(many.values()) > 0.98
    assert any("best possible accuracy of genre on intranet" in line for line in check("pages"))


@pytest.mark.parametrize("task", ["topic", "genre"])
def test_label_sparsity_concerns_its_task_and_training_rows(task: str) -> None:
    other = {"topic": "genre", "genre": "topic"}[task]
    before, after = SMALL.rows("magazine"), SMALL.model_copy(update={f"{task}_labels": 0.25}).rows("magazine")
    assert np.array_equal(before.x, after.x)
    assert np.array_equal(before.y[other], after.y[other])
    assert after.test_y is not None
    assert after.test_y[task].min() == 0
    known = after.y[task] >= 0
    assert np.array_equal(after.y[task][known], before.y[task][known])
    assert np.bincount(after.y[task][known]).tolist() == (np.bincount(before.y[task]) // 4).tolist()


def test_words_are_standardised_on_all_train_rows_and_restored() -> None:
    data = make_split(SMALL, ("magazine",), ("intranet",), 0)
    rows = np.concatenate([data.source_train[0].x, data.target_train[0].x])
    assert rows.dtype == np.float32
    assert rows[:, :PIXELS].min() >= 0
    assert rows[:, :PIXELS].max() <= 1
    assert np.abs(rows[:, PIXELS:].mean(axis=0)).max() < 1e-5
    assert np.allclose(rows[:, PIXELS:].std(axis=0), 1, atol=1e-4)
    raw = SMALL.rows("intranet").x
    again = SMALL.restore(data.fitted.state).apply(raw, "intranet")
    assert np.array_equal(again, data.fitted.apply(raw, "intranet"))
    with pytest.raises(DataError, match="not its rows"):
        data.fitted.apply(raw[:, 1:], "intranet")


@pytest.mark.parametrize(("setting", "value"), [("shift", 1.1), ("words", 0), ("genre_labels", 0.0), ("noise", np.nan)])
def test_settings_out_of_range_are_one_message(setting: str, value: float) -> None:
    with pytest.raises(ConfigError, match=rf"data\.{setting}: input should be"):
        bind_run("source_only", "pages/magazine:intranet", overrides=[(f"data.{setting}", value)])
