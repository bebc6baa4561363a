"""Rows on the device, gathered by index, and the order in which each seed sees them."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dareps.data._base import Augmentation, LabelledPart, Part
from dareps.errors import ConfigError
from dareps.maths.keys import key_of
from dareps.tasks import kind_of
from dareps.types import Batch, Labelled, NoiseSource, Role, Rows, Task, Unlabelled


@dataclass(frozen=True, slots=True)
class Slot:
    """One stream's place in a step's rows: positions `start` to `stop`.

    Attributes:
        tasks: Tasks that some row of the stream has a label of; None for an unlabelled stream.
        complete: Tasks that every row has a label of.
    """

    domain: str
    role: Role
    tasks: tuple[str, ...] | None
    complete: frozenset[str]
    start: int
    stop: int


@dataclass(slots=True)
class Clock:
    """Where the time of training steps goes.

    Attributes:
        spent: Seconds of all steps.
        waited: Seconds of these until a step's rows were there, as the host sees it: what a device does meanwhile, such
            as gathering rows that lie on it, takes no time here.
    """

    spent: float = 0.0
    waited: float = 0.0

    @property
    def share(self) -> float:
        """The share of waiting; 0 before any step."""
        return self.waited / self.spent if self.spent else 0.0

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count what is inside as waiting."""
        start = time.perf_counter()
        yield
        self.waited += time.perf_counter() - start

    @contextmanager
    def stepping(self) -> Iterator[None]:
        """Count what is inside as steps."""
        start = time.perf_counter()
        yield
        self.spent += time.perf_counter() - start


class IndexOrder:
    """The infinite order of one stream's rows: one keyed permutation per epoch, end to end.

    Args:
        rows: Number of rows.
        batch: Rows per step; may exceed `rows`.
        key: Names the stream, for instance (seed, phase, domain).
    """

    def __init__(self, rows: int, batch: int, key: tuple[object, ...]) -> None:
        self.rows, self.batch, self.key = rows, batch, key
        self._known: dict[int, np.ndarray] = {}

    def block(self, start: int, count: int) -> np.ndarray:
        """Row numbers (count, batch) of steps `start` to `start + count`: a pure function of the arguments."""
        first, last = start * self.batch, (start + count) * self.batch
        epochs = range(first // self.rows, -(-last // self.rows))
        self._known = {epoch: self._epoch(epoch) for epoch in epochs}
        order = np.concatenate(list(self._known.values()) or [np.empty(0, np.int64)])
        offset = first - epochs.start * self.rows
        return order[offset : offset + count * self.batch].reshape(count, self.batch)

    def _epoch(self, epoch: int) -> np.ndarray:
        """The permutation of an epoch; the last block's are kept, since the next block begins in one of them."""
        if epoch in self._known:
            return self._known[epoch]
        key = key_of("order", *self.key, epoch) % 2**64
        return np.random.Generator(np.random.Philox(key=key)).permutation(self.rows)


class Pool:
    """All rows that a phase reads, of all seeds, as one tensor per field on the device.

    Attributes:
        host: What the pool does on the host in every step, which rules out capture; empty for nothing.
        clock: Counts what training waits for rows.

    Args:
        seeds: Seed of each copy.
        parts: Per seed, the rows of each stream.
        batch: Rows per stream and step.
        phase: Number of the phase, part of the order's key.
        device: Where the rows live.
        dtype: Floating type that batches have.
        augment: Random changes of the rows, in order.
        tasks: What is predicted; labels of other tasks are left behind.
    """

    host: str = ""

    def __init__(
        self,
        seeds: Sequence[int],
        parts: Sequence[Sequence[Part | LabelledPart]],
        batch: int,
        phase: int,
        device: torch.device,
        dtype: torch.dtype,
        augment: Sequence[Augmentation] = (),
        tasks: Sequence[Task] = (),
    ) -> None:
        self.dtype, self.device, self.augment, self.tasks = dtype, device, tuple(augment), tuple(tasks)
        self.host = ", ".join(filter(None, [self.host, *(change.name for change in augment if change.host)]))
        self.clock = Clock()
        self.slots = tuple(
            Slot(stream[0].domain, stream[0].role, *self._labels_in(stream), number * batch, (number + 1) * batch)
            for number, stream in enumerate(zip(*parts, strict=True))
        )
        flat = [part for own in parts for part in own]
        offsets = iter(np.cumsum([0, *(len(part.x) for part in flat)]))
        self.orders = [
            [(int(next(offsets)), IndexOrder(len(part.x), batch, (seed, phase, part.domain))) for part in own]
            for seed, own in zip(seeds, parts, strict=True)
        ]
        self.hold(flat)

    def start(self, workers: int, clock: Clock) -> None:
        """Get ready, with that many processes where rows come from a loader; time is counted on the clock."""
        self.clock = clock

    def close(self) -> None:
        """End what `start` began."""

    def hold(self, parts: Sequence[Part | LabelledPart]) -> None:
        """Take in the rows of all streams and seeds, in the order that row numbers count them.

        Raises:
            ConfigError: There is no room for them on the device.
        """
        size = sum(math.prod(part.x.shape) * part.x.dtype.itemsize for part in parts)
        if size > room(self.device):
            what = f"{size / 2**30:.0f} GiB of rows do not fit on {self.device}"
            raise ConfigError("engine.rows", what, "device", "Set engine.rows=loader and engine.loaders=4.")
        self.x = torch.from_numpy(np.concatenate([part.x for part in parts])).to(self.device)
        if self.x.is_floating_point():
            self.x = self.x.to(self.dtype)
        found = labels_of(parts, self.tasks).items()
        self.y = {task: self.as_labels(torch.from_numpy(labels)).to(self.device) for task, labels in found}

    def as_labels(self, labels: Tensor) -> Tensor:
        """Labels as losses read them: numbers in the batches' floating type, classes as they are."""
        return labels.to(self.dtype) if labels.is_floating_point() else labels

    def _labels_in(self, stream: Sequence[Part | LabelledPart]) -> tuple[tuple[str, ...] | None, frozenset[str]]:
        """Which tasks a stream has labels of, in the rows of any seed, and of which in all rows of all seeds."""
        labelled = [part for part in stream if isinstance(part, LabelledPart)]
        if not labelled:
            return None, frozenset()
        known = {task.name: [kind_of(task).known(part.y[task.name]) for part in labelled] for task in self.tasks}
        some = tuple(name for name, found in known.items() if any(own.any() for own in found))
        return some, frozenset(name for name, found in known.items() if all(own.all() for own in found))

    def block(self, start: int, count: int) -> Tensor:
        """Row numbers (count, S, n) of steps `start` to `start + count`, on the device."""
        with self.clock.waiting():
            return torch.from_numpy(self.numbers(start, count)).to(self.device)

    def numbers(self, start: int, count: int) -> np.ndarray:
        """The same as an array."""
        per_seed = [
            np.concatenate([offset + order.block(start, count) for offset, order in own], axis=1) for own in self.orders
        ]
        return np.stack(per_seed, axis=1)

    def gather(self, index: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Inputs (*lead, n, *shape) and labels (*lead, n) or (*lead, n, size) of row numbers (*lead, n)."""
        flat = index.flatten()
        with self.clock.waiting():
            x = self.as_input(self.x.index_select(0, flat), index)
        return x, {task: y.index_select(0, flat).view(*index.shape, *y.shape[1:]) for task, y in self.y.items()}

    def as_input(self, x: Tensor, index: Tensor) -> Tensor:
        """Gathered rows as the network reads them: floating, images from 0 to 1, with the leading shape of `index`."""
        if not x.is_floating_point():
            x = x.to(self.dtype).div_(255)
        return x.view(*index.shape, *x.shape[1:]) if index.dim() > 1 else x

    def batch(self, x: Tensor, y: Mapping[str, Tensor], noise: NoiseSource) -> Batch:
        """One seed's rows (n, *shape), augmented, and labels as typed streams; unlabelled streams get no labels."""
        plain = x
        for number, change in enumerate(self.augment):
            x = self._changed(x, change, noise, f"augment.{number}")
        streams = tuple(self._rows(slot, x, y) for slot in self.slots)
        return Batch(streams, x, plain, self.once_more) if self.augment else Batch(streams, x)

    def once_more(self, x: Tensor, role: Role, noise: NoiseSource, place: str) -> Tensor:
        """Rows (n, *shape) of one stream under another draw of the augmentations that are meant for its role."""
        for number, change in enumerate(self.augment):
            if change.streams in ("all", role):
                x = change(x, noise, f"{place}.{number}")
        return x

    def _changed(self, x: Tensor, change: Augmentation, noise: NoiseSource, place: str) -> Tensor:
        """All rows after one augmentation of the streams that it is meant for."""
        if change.streams == "all":
            return change(x, noise, place)
        blocks = [(slot, x[slot.start : slot.stop]) for slot in self.slots]
        return torch.cat(
            [
                change(block, noise, f"{place}.{slot.domain}") if slot.role == change.streams else block
                for slot, block in blocks
            ]
        )

    @staticmethod
    def _rows(slot: Slot, x: Tensor, y: Mapping[str, Tensor]) -> Rows:
        own = x[slot.start : slot.stop]
        if slot.tasks is None:
            return Unlabelled(slot.domain, slot.role, own)
        labels = {task: y[task][slot.start : slot.stop] for task in slot.tasks}
        return Labelled(slot.domain, slot.role, own, labels, slot.complete)


def room(device: torch.device) -> int:
    """Bytes that rows may take on a device: what is free there, or half of the machine's memory."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2 if device.type == "cpu" else 2**62


def labels_of(parts: Sequence[Part | LabelledPart], tasks: Sequence[Task]) -> dict[str, np.ndarray]:
    """Labels of all rows by task, missing ones where a stream is unlabelled; empty when all are."""
    if not any(isinstance(part, LabelledPart) for part in parts):
        return {}
    return {
        task.name: np.concatenate(
            [
                part.y[task.name] if isinstance(part, LabelledPart) else kind_of(task).empty(task, len(part.x))
                for part in parts
            ]
        )
        for task in tasks
    }
