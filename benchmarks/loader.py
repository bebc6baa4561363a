"""Batches of photographs a second: mapped rows against two ways of decoding files again and again, in turns.

Two domains of drawn JPEG files, as many as Office-31's amazon and webcam have; batches of 32 and 32 rows, squeezed
to 256, a random part of them to 224, mirrored at random, scaled by channel. `fresh workers` loads as tllib does: an
iterator that begins anew, with new processes, whenever a domain has been read once. `torchvision` keeps its
processes. Both decode on them, as their users do; what is compared is the time until a batch can enter a network.
Mapped rows fit into the page cache here, as those of most sets do; files do, too. Before each turn all loaders have
filled their queues.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

from benchmarks._measure import RESULTS, Figure, publish
from dareps.data._photographs import IMAGENET
from dareps.data.pacs import PACS
from dareps.engine.building import split_of
from dareps.engine.loop import Trainer
from dareps.engine.memory import keep_freed_memory
from dareps.engine.rows import Pool
from dareps.maths.noise import Noise
from dareps.recipe.bind import bind_run

DOMAINS = {"photo": 402, "sketch": 114}
"""Images of each class."""
BATCH, WORKERS, FLUSH, REST = 32, 2, 50, 2.0
Batches = Iterator[Tensor]


def main(arguments: Sequence[str] | None = None) -> None:
    """Time all ways and publish batches a second and their ratios."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.loader", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the results file")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    keep_freed_memory()  # As runs do.
    with tempfile.TemporaryDirectory() as folder:
        drawn(Path(folder) / "pacs")
        os.environ |= {"DAREPS_DATA": folder, "DAREPS_CACHE": str(Path(folder) / "cache")}
        start = time.perf_counter()
        mapped(0)
        once = time.perf_counter() - start
        ways: dict[str, Callable[[], Batches]] = {
            "mapped": lambda: mapped(0),
            f"mapped, {WORKERS} processes": lambda: mapped(WORKERS),
            "torchvision": lambda: joined(Path(folder), forever),
            "fresh workers": lambda: joined(Path(folder), anew),
        }
        times = taken(ways, options.rounds, options.steps)
    publish("loader", [*figures(times), Figure("decode all files once", once, unit="s")], options.results)


def figures(times: dict[str, list[float]]) -> list[Figure]:
    """Batches a second of every way, and ratios of the first two to the others."""
    rates = [
        Figure(name, 1 / median(own), unit="batches/s", group="throughput", spread=spread([1 / one for one in own]))
        for name, own in times.items()
    ]
    ours, others = list(times)[:2], list(times)[2:]
    for own in ours:
        for other in others:
            ratios = [theirs / mine for theirs, mine in zip(times[other], times[own], strict=True)]
            found = Figure(f"{own} / {other}", median(ratios), spread=spread(ratios), group="ratio of throughputs")
            rates.append(found.at_least(1.0))
    return rates


def spread(values: Sequence[float]) -> tuple[float, float]:
    """First and third quartile."""
    low, _, high = quantiles(values, n=4)
    return low, high


def taken(ways: dict[str, Callable[[], Batches]], rounds: int, steps: int) -> dict[str, list[float]]:
    """Seconds of a batch by way and round; each way is begun once, as in training, and takes turns with the others."""
    running = {name: start() for name, start in ways.items()}
    times: dict[str, list[float]] = {name: [] for name in ways}
    for batches in running.values():
        next(batches)
    for _ in range(rounds):
        for name, batches in running.items():
            time.sleep(REST)
            start = time.perf_counter()
            for _ in range(steps):
                x = next(batches)
            times[name].append((time.perf_counter() - start) / steps)
            assert x.shape == (2 * BATCH, 3, 224, 224)
    return times


def mapped(workers: int) -> Batches:
    """Batches as the loop makes them: gathered, cropped, mirrored and scaled."""
    changes: list[tuple[str, Any]] = [
        ("encoder", {"name": "conv2d", "channels": [2]}),
        ("data.augment", [{"name": "resized_crop", "size": 224}, "flip"]),
        ("phases.*.batch", BATCH),
        ("engine.rows", "loader"),
        ("engine.loaders", workers),
        ("protocol", "paper"),
    ]
    run = bind_run("dann", "pacs/photo:sketch", 0, changes)
    trainer = Trainer([run], [split_of(run)], torch.device("cpu"))
    plan = trainer.plans[0]
    trainer.enter(plan)
    return stepped(trainer, trainer.pool(plan), run.data.frame())


def stepped(trainer: Trainer, pool: Pool, frame: Callable[[Tensor], Tensor]) -> Batches:
    """The batches of a pool, a window after the other."""
    plan, start = trainer.plans[0], 0
    while True:
        for inputs in trainer.inputs(plan, pool, start, start + FLUSH):
            x, y = pool.gather(inputs.index)
            yield frame(pool.batch(x, y, Noise(trainer.population.seed, inputs.step)).joined)
        start += FLUSH


def joined(folder: Path, again: Callable[[DataLoader[Any]], Batches]) -> Batches:
    """Batches of both domains side by side, decoded for every step."""
    change = v2.Compose(
        [
            v2.Resize((256, 256)),
            v2.RandomResizedCrop(224),
            v2.RandomHorizontalFlip(),
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(*map(list, IMAGENET)),
        ]
    )
    sides = []
    for domain in DOMAINS:
        files = ImageFolder(str(folder / "pacs" / domain), transform=change)
        keep = again is forever
        loader: DataLoader[Any] = DataLoader(
            files, BATCH, shuffle=True, num_workers=WORKERS, drop_last=True, persistent_workers=keep
        )
        sides.append(again(loader))
    return (torch.cat(rows) for rows in zip(*sides, strict=True))


def forever(loader: DataLoader[Any]) -> Batches:
    """Batches without end from processes that stay."""
    while True:
        yield from (x for x, _ in loader)


def anew(loader: DataLoader[Any]) -> Batches:
    """Batches without end; the loader's processes are new for every pass."""
    batches = iter(loader)
    while True:
        try:
            x, _ = next(batches)
        except StopIteration:
            batches = iter(loader)
            x, _ = next(batches)
        yield x


def drawn(folder: Path) -> None:
    """JPEG files of 300 by 300 pixels with few high frequencies, as photographs have."""
    draw = np.random.default_rng(0)
    for domain, count in DOMAINS.items():
        for name in PACS.tasks[0].classes:
            (folder / domain / name).mkdir(parents=True)
            for number in range(count):
                coarse = Image.fromarray(draw.integers(0, 256, (12, 12, 3), dtype=np.uint8))
                coarse.resize((300, 300), Image.Resampling.BICUBIC).save(folder / domain / name / f"{number}.jpg")


if __name__ == "__main__":
    main()
