"""What a pretrained model is worth to a target, stage by stage: the numbers that `dareps.transfer.advice` goes by."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from dareps.data._base import LabelledPart, Part, SplitData
from dareps.engine import checkpoint
from dareps.engine.building import split_of
from dareps.engine.identity import identity_of
from dareps.engine.inputs import blocks_of, network_input
from dareps.engine.loop import Trainer
from dareps.engine.predict import load
from dareps.engine.saving import MODEL
from dareps.errors import ConfigError, DataError
from dareps.maths.staged import Staged
from dareps.recipe.method import Method
from dareps.recipe.settings import Run
from dareps.sharing._modules import Group
from dareps.suite._results import dataset_name, split_name
from dareps.suite.bench import keys_of
from dareps.suite.distances import ROWS, comparable, rows_of, thinned
from dareps.suite.hindsight import Told
from dareps.suite.relate import declared_target
from dareps.transfer import LEEP, NCE, HScore, LogME, proxy_a_distance
from dareps.transfer.advice import Measured, StageScores
from dareps.types import Task

LABELLED: Final = 500
"""At most this many labelled target rows are measured: enough for the scores, and their cost grows with the cube."""
UNCOUNTED: Final = {"labelled": None, "held": 0}
"""What a run is without declared labels, which a model of the source does not depend on."""


def pretrained(run: Run, data: SplitData) -> Method:
    """The method of a run, trained on the device of tests and small networks, the CPU.

    Raises:
        DataError: Training has failed.
    """
    trainer = Trainer([run], [data], torch.device("cpu"))
    [ledger] = trainer.train()
    if ledger.failure:
        raise DataError("source model", f"training failed ({ledger.failure})", fix="Give another one with --model.")
    return trainer.population.single(0)


def stored(folder: Path, run: Run, data: SplitData) -> Method:
    """The method of a stored run, to be used on the rows of another run's split.

    Raises:
        CheckpointError: There is no model, or it is damaged.
        ConfigError: It was trained on another dataset, or on rows of another shape.
    """
    model = load(folder)
    record = checkpoint.load(folder / MODEL if folder.is_dir() else folder)[1]
    wanted, found = type(run.data).name, record["run"]["data"]["name"]
    if wanted != found:
        raise ConfigError("--model", f"the split is on {wanted}, the model was trained on", found, "Name another run.")
    shape = tuple(data.source_train[0].x.shape[1:])
    if shape != model.shape:
        raise ConfigError("--model", f"the split's rows are {shape}, the model reads", model.shape, "Name another run.")
    return model.method


def measure(run: Run, data: SplitData, method: Method, task: Task) -> Measured:
    """The numbers for one target task of classes, from unlabelled rows and declared target labels alone.

    Proxy A-distances compare train rows of both sides; the scores read the labelled target train rows. LEEP and NCE
    read the head of the task itself where the source has labels of it, else that of the model's first task of classes.

    Raises:
        ConfigError: The split has no target, or declares no label of it; the task has no classes.
        DataError: The labelled rows are of one class.
    """
    rows, labels = labelled_rows(run, data, task)
    domain = data.target_train[0].domain
    source, target = (
        _thinned(side, name) for side, name in ((data.source_train, "source"), (data.target_train, "target"))
    )
    stages = _trained(method)
    before = stage_outputs(method, source, data.source_train[0].domain, task)
    after, told = (stage_outputs(method, own, domain, task) for own in (target, rows))
    scored = tuple(_scores(name, before[name], after[name], told[name], labels) for name in told if name in stages)
    head = _head(method, data, task)
    predicted = predictions(method, rows, domain, head)
    counts = np.unique(labels, return_counts=True)[1]
    shares = counts / len(labels)
    entropy = -float((shares * np.log(shares)).sum())
    leep, nce = LEEP()(predicted, labels), NCE()(predicted, labels)
    return Measured(task.name, len(labels), len(counts), entropy, leep, nce, scored)


def measure_all(runs: Sequence[Run], done: Container[str] = ()) -> Iterator[list[Told]]:
    """The numbers of every task of classes of each run, which trains on the source, but for runs that are `done`.

    Runs that differ in declared labels alone share a model.

    Raises:
        ConfigError: A split declares no target label.
        DataError: Rows cannot be used, or training has failed.
    """
    models = keys_of([run.model_copy(update=UNCOUNTED) for run in runs])
    todo = [own for own in zip(models, keys_of(runs), runs, strict=True) if own[1] not in done]
    for _, group in groupby(sorted(todo, key=itemgetter(0)), key=itemgetter(0)):
        method: Method | None = None
        for _, key, run in group:
            data, who = split_of(run).restricted(run.tasks), identity_of(run, key)
            method = method or pretrained(run, data)
            place = dataset_name(who), split_name(who), run.seed
            tasks = [task for task in run.tasks if task.kind == "classification"]
            yield [Told(key, *place, measure(run, data, method, task)) for task in tasks]


@torch.no_grad()
def stage_outputs(method: Method, x: np.ndarray, domain: str, task: Task) -> dict[str, np.ndarray]:
    """Each stage's output (n, d) for rows x (n, *shape), flattened; of several encoders with a stage, all of them."""
    caught: dict[str, list[Tensor]] = {}

    def catch(name: str) -> RemovableHandle:
        def keep(_: nn.Module, __: tuple[Tensor, ...], out: Tensor) -> None:
            caught.setdefault(name, []).append(out)

        handle: RemovableHandle = places[name].register_forward_hook(keep)
        return handle

    places = {path: module for path, module in method.encoder.named_modules() if _stage(path)}
    handles = [catch(path) for path in places]
    try:
        for block in blocks_of(x):
            _represent(method, block, domain, task)
    finally:
        for handle in handles:
            handle.remove()
    found: dict[str, list[np.ndarray]] = {}
    for path, blocks in caught.items():
        rows = torch.cat([block.flatten(1) for block in blocks]).double().cpu().numpy()
        found.setdefault(_stage(path), []).append(rows)
    return {name: np.concatenate(own, axis=1) for name, own in found.items()}


@torch.no_grad()
def predictions(method: Method, x: np.ndarray, domain: str, task: Task) -> np.ndarray:
    """Probabilities (n, c) of the classes of a task that the method has a head for."""
    blocks = [
        method.heads[task.name](_represent(method, block, domain, task)).double().softmax(dim=1)
        for block in blocks_of(x)
    ]
    return np.asarray(torch.cat(blocks).cpu().numpy())


def _represent(method: Method, x: np.ndarray, domain: str, task: Task) -> Tensor:
    """What the head of a task reads; rows of a domain that the method does not know pass as those of its last one."""
    method.eval()
    weight = next(method.parameters())
    known = domain if domain in method.domains else method.domains[-1]
    own = task if task in method.tasks else method.lead
    rows = network_input(x, weight.device, weight.dtype)
    found: Tensor = method.represent(rows, [Group(len(rows), known, (own.name,))])[0][own.name].task
    return found


def _stage(path: str) -> str:
    """The stage that a module of the encoder is; empty for any other module."""
    above, _, name = path.rpartition(".")
    return name if above.rpartition(".")[2] == "chain" else ""


def _trained(method: Method) -> list[str]:
    """Stages that have parameters: others are no more pretrained than the input is."""
    pieces = [module for module in method.encoder.modules() if isinstance(module, Staged)]
    return [name for piece in pieces for name, stage in piece.chain.items() if _count(stage)]


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def labelled_rows(run: Run, data: SplitData, task: Task) -> tuple[np.ndarray, np.ndarray]:
    """Labelled target train rows (n, *shape) of a task, and their classes (n,).

    Raises:
        ConfigError: The split declares none, or the task has no classes.
        DataError: They are of one class.
    """
    where, split = "--advise", f"{run.dataset}/{run.split}"
    parts = declared_target(run, data)
    if task.kind != "classification":
        raise ConfigError(where, f"the task {task.name} has no classes", task.kind, "Name tasks of classes: tasks=[A].")
    if not parts:
        fix = "Declare some, as in DATA/SOURCE:TARGET@30 for 30 of each class."
        raise ConfigError(where, "the split declares no labelled target rows", split, fix)
    labels = np.concatenate([part.y[task.name] for part in parts])
    known = np.flatnonzero(labels >= 0)
    if len(np.unique(labels[known])) < 2:
        what = f"the labelled target rows of {task.name} are of fewer than two classes, rows"
        raise DataError(where, what, len(known), "Declare more of them, or choose another task.")
    kept = np.sort(_spread(known, LABELLED))
    return np.asarray(rows_of(parts)[kept]), labels[kept]


def _spread(rows: np.ndarray, most: int) -> np.ndarray:
    return np.asarray(rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), most)).astype(int))])


def _thinned(parts: Sequence[Part | LabelledPart], side: str) -> np.ndarray:
    """The rows that distances look at, in their own shape."""
    x = rows_of(parts)
    places = thinned(np.arange(len(x))[:, None], side, most=ROWS)[:, 0].astype(int)
    return np.asarray(x[places])


def _scores(name: str, source: np.ndarray, target: np.ndarray, told: np.ndarray, labels: np.ndarray) -> StageScores:
    constant = np.concatenate([told, np.ones((len(told), 1))], axis=1)
    far = proxy_a_distance(*comparable(source, target))
    h_score = HScore(shrinkage="ledoit_wolf")(told, labels)
    return StageScores(name, told.shape[1], far, LogME()(constant, labels), h_score)


def _head(method: Method, data: SplitData, task: Task) -> Task:
    """The task whose head predicts: the target's own where the model knows it and the source has labels of it."""
    own = {known.name: known for known in method.tasks}.get(task.name)
    taught = any((part.y[task.name] >= 0).any() for part in data.source_train)
    if own is not None and taught:
        return own
    if method.lead.kind != "classification":
        raise ConfigError(
            "--advise", "the model has no task of classes", method.lead.name, "Name another with --model."
        )
    return method.lead
