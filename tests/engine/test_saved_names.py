"""Names of saved runs fit every file system, however many domains a run has."""

from __future__ import annotations

from dareps.engine.saving import _short


def test_few_domains_are_spelled_out() -> None:
    assert _short(("books", "dvd")) == "books+dvd"


def test_many_are_counted() -> None:
    schools = tuple(f"s{number:03}" for number in range(139))
    assert _short(schools) == "s000+138"
    assert len(_short(("x" * 300, "y"))) < 80
