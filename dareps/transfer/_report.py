"""What became of every tensor when weights were loaded: the report, without tensors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Fate = Literal["loaded", "adapted", "reinitialised", "dropped"]
_SAID = {"loaded": "loaded", "adapted": "adapted", "reinitialised": "re-initialised", "dropped": "dropped"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One tensor.

    Attributes:
        fate: What became of it.
        name: Its name in the method, or of a dropped one in the file.
        origin: What it came from, by its name in the file; empty where nothing did.
        why: The reason; empty for what is simply loaded.
    """

    fate: Fate
    name: str
    origin: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class MappingReport:
    """What was loaded from a file, and what was not.

    Attributes:
        file: The file, or who gave the weights.
        entries: One for each tensor of the method and for each of the file that was not used.
        notes: How the file's names were read.
    """

    file: str
    entries: tuple[Entry, ...]
    notes: tuple[str, ...] = ()

    def of(self, fate: Fate) -> list[Entry]:
        """The tensors that this became of."""
        return [entry for entry in self.entries if entry.fate == fate]

    @property
    def counts(self) -> str:
        """How many tensors were loaded, adapted, re-initialised and dropped, in a line."""
        figures = ", ".join(f"{len(self.of(fate))} {said}" for fate, said in _SAID.items())  # type: ignore[arg-type]
        return f"Weights from {self.file}: {figures}."

    def lines(self) -> Iterator[str]:
        """The counts, how names were read, and every tensor that was adapted, re-initialised or dropped, by reason."""
        yield self.counts
        yield from (f"  {note}" for note in self.notes)
        groups: dict[tuple[Fate, str], list[str]] = {}
        for entry in self.entries:
            if entry.fate != "loaded":
                groups.setdefault((entry.fate, entry.why), []).append(entry.name)
        for (fate, why), names in groups.items():
            yield f"  {_SAID[fate]} ({why}): {', '.join(names)}"

    def record(self) -> dict[str, Any]:
        """The same as plain data, ready for JSON."""
        return {
            "file": self.file,
            "notes": list(self.notes),
            "tensors": [[entry.fate, entry.name, entry.origin, entry.why] for entry in self.entries],
        }


def read_report(record: dict[str, Any] | None) -> MappingReport | None:
    """The report that `record` describes."""
    if record is None:
        return None
    entries: Sequence[Sequence[Any]] = record["tensors"]
    return MappingReport(record["file"], tuple(Entry(*entry) for entry in entries), tuple(record["notes"]))
