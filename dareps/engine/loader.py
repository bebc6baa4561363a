"""Rows that stay on the host, for data that does not fit the device: same order, same batches, fetched ahead."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from dareps.data._base import LabelledPart, Part
from dareps.engine.rows import Clock, Pool, labels_of
from dareps.types import Task

AHEAD = 32
"""Steps whose row numbers are drawn at a time."""


class _HostRows(Dataset[tuple[Tensor, dict[str, Tensor]]]):
    """Rows of several arrays (memory-mapped ones too) under consecutive numbers, fetched a batch at a time."""

    def __init__(self, parts: Sequence[Part | LabelledPart], tasks: Sequence[Task]) -> None:
        self.arrays = [part.x for part in parts]
        self.starts = np.cumsum([0, *(len(array) for array in self.arrays)])
        self.labels = labels_of(parts, tasks)

    def __len__(self) -> int:
        return int(self.starts[-1])

    def __getitems__(self, numbers: Sequence[int]) -> tuple[Tensor, dict[str, Tensor]]:
        found = np.asarray(numbers)
        owner = np.searchsorted(self.starts, found, side="right") - 1
        rows = [self.arrays[own][number - self.starts[own]] for own, number in zip(owner, found, strict=True)]
        labels = {task: torch.from_numpy(values[found]) for task, values in self.labels.items()}
        return torch.from_numpy(np.stack(rows)), labels


class _Order(Sampler[list[int]]):
    """The batches of all steps from one on, without end, so that a loader fetches ahead across windows.

    Args:
        numbers: (first step, count) -> row numbers (count, S, n).
    """

    def __init__(self, numbers: Callable[[int, int], np.ndarray]) -> None:
        self.numbers, self.start = numbers, 0

    def __iter__(self) -> Iterator[list[int]]:
        for start in itertools.count(self.start, AHEAD):
            block = self.numbers(start, AHEAD)
            yield from block.reshape(len(block), -1).tolist()


class LoaderPool(Pool):
    """A pool whose rows come from a loader with persistent, pinned workers; batches equal those of `Pool`."""

    host = "rows from a loader"

    def hold(self, parts: Sequence[Part | LabelledPart]) -> None:
        """Keep the arrays where they are."""
        self.rows, self.order, self.next = _HostRows(parts, self.tasks), _Order(self.numbers), -1
        self.loader: DataLoader[Any] | None = None
        self.batches: Iterator[Any] = iter(())

    def start(self, workers: int, clock: Clock) -> None:
        """Start the loader with that many processes."""
        super().start(workers, clock)
        self.loader = DataLoader(
            self.rows,
            batch_sampler=self.order,
            num_workers=workers,
            collate_fn=_as_it_is,
            persistent_workers=workers > 0,
            pin_memory=self.device.type == "cuda",
            worker_init_fn=_undisturbed,
        )

    def close(self) -> None:
        """Let the loader go while nothing else does.

        One that is collected together with the pool cannot tell its processes to end, and waits 5 s for each.
        """
        self.loader, self.batches, self.next = None, iter(()), -1

    def block(self, start: int, count: int) -> Tensor:
        """A place (count, S, n) for each row of the next steps, which the loader knows and begins to fetch."""
        assert self.loader is not None
        if start != self.next:  # Else the loader is already fetching them.
            self.order.start = start
            self.batches = iter(self.loader)
        self.next = start + count
        rows = sum(order.batch for _, order in self.orders[0])
        return torch.zeros((count, len(self.orders), rows), dtype=torch.int64, device=self.device)

    def gather(self, index: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Inputs (*lead, n, *shape) and labels (*lead, n) or (*lead, n, size) of the next step, on the device."""
        with self.clock.waiting():
            x, y = next(self.batches)
        x = x.to(self.device, non_blocking=True)
        x = self.as_input(x.to(self.dtype) if x.is_floating_point() else x, index)
        return x, {
            task: self.as_labels(labels.to(self.device, non_blocking=True)).view(*index.shape, *labels.shape[1:])
            for task, labels in y.items()
        }


def _undisturbed(number: int) -> None:
    """Ctrl-C goes to all processes of a terminal; it is the training one that answers, and ends its loaders."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _as_it_is(batch: Any) -> Any:
    return batch
