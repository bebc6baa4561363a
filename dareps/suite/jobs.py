"""Jobs in worker processes: each worker trains on one thread, and a worker that dies takes one job with it."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from dareps.suite.warned import warnings_told

GRACE = 15.0
"""Seconds that workers get to leave a checkpoint when they are asked to stop."""
PATIENCE = 0.2
"""Seconds between two looks at whether to stop."""
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class Job:
    """Runs that are carried out together: one, or the seeds of a stack.

    Attributes:
        number: Names the job.
        configs: Dumped runs.
    """

    number: int
    configs: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Event:
    """What workers tell.

    Attributes:
        kind: `started`, `progress` (value: step, total, values per seed), `warning` (value: text), `done` (value:
            outcomes), `stopped`, `died` (value: how; the job is tried once more), `lost` (value: how; it died twice),
            `fault` (value: an error that ends all).
        job: The job.
    """

    kind: str
    job: Job
    value: Any = None


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    pipe: Connection
    job: Job | None = None


@dataclass(slots=True)
class Workers:
    """A few processes that work through jobs.

    Attributes:
        folder: Output folder.
        device: Name of the device.
        count: Number of processes.
        save: Seeds whose models are kept; None keeps all.
        stopping: Asked now and then; true ends the jobs in progress after a checkpoint.
    """

    folder: Path
    device: str
    count: int
    save: frozenset[int] | None = None
    stopping: Callable[[], bool] = field(default=lambda: False)
    _alive: list[_Worker] = field(default_factory=list)

    def run(self, jobs: Sequence[Job]) -> Iterator[Event]:
        """Carry out all jobs, yielding what happens; closing the iterator stops the workers."""
        waiting, deaths = list(reversed(jobs)), dict.fromkeys((job.number for job in jobs), 0)
        try:
            while (waiting or self._busy()) and not self.stopping():
                while waiting and len(self._busy()) < self.count:
                    yield self._assign(waiting.pop())
                for event in self._listen():
                    if event.kind == "died":
                        deaths[event.job.number] += 1
                        if deaths[event.job.number] > 1:
                            event = Event("lost", event.job, event.value)
                        else:
                            waiting.append(event.job)
                    yield event
            yield from self._wound_down()
        finally:
            self.stop()

    def stop(self) -> None:
        """Ask all workers to leave a checkpoint and end; those that do not are killed."""
        try:
            for _ in self._wound_down():
                pass
        finally:
            for worker in self._alive:  # Ctrl-C in between: Python would wait for them when it ends.
                worker.process.kill()

    def _wound_down(self) -> Iterator[Event]:
        """End all workers; yields what was finished before they heard of it, so that nothing computed is lost."""
        for worker in self._alive:
            with contextlib.suppress(OSError):
                worker.pipe.send(None)
            if worker.job is not None and worker.process.pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker.process.pid, signal.SIGTERM)
        deadline = time.monotonic() + GRACE
        while self._alive:
            worker = self._alive[-1]
            yield from self._drained(worker, deadline)
            worker.process.join(max(0.0, deadline - time.monotonic()))
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            worker.pipe.close()
            self._alive.remove(worker)

    @staticmethod
    def _drained(worker: _Worker, deadline: float) -> Iterator[Event]:
        """Read on until the worker ends, so that it does not block on a full pipe."""
        with contextlib.suppress(EOFError, OSError):
            while worker.pipe.poll(max(0.0, deadline - time.monotonic())):
                kind, value = worker.pipe.recv()
                if kind == "done" and worker.job is not None:
                    yield Event(kind, worker.job, value)

    def _busy(self) -> list[_Worker]:
        return [worker for worker in self._alive if worker.job is not None]

    def _assign(self, job: Job) -> Event:
        idle = next((worker for worker in self._alive if worker.job is None), None) or self._start()
        idle.job = job
        with contextlib.suppress(OSError):
            idle.pipe.send(job)
        return Event("started", job)

    def _start(self) -> _Worker:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        # No daemon: those may not have processes of their own, and loaders do. `run` ends all that it started, and one
        # whose pipe breaks ends by itself.
        process = context.Process(target=serve, args=(theirs, self.folder, self.device, self.save))
        with _one_thread(), _interrupts_held():
            process.start()
        theirs.close()
        worker = _Worker(process, ours)
        self._alive.append(worker)
        return worker

    def _listen(self) -> Iterator[Event]:
        """Messages of the workers that have something to say, or have died."""
        handles: dict[Any, _Worker] = {worker.pipe: worker for worker in self._busy()}
        for ready in wait(list(handles), PATIENCE):
            worker = handles[ready]
            job = worker.job
            assert job is not None
            try:
                kind, value = worker.pipe.recv()
            except (EOFError, OSError):
                yield self._buried(worker, job)
                continue
            if kind not in ("progress", "warning"):
                worker.job = None
            yield Event(kind, job, value)

    def _buried(self, worker: _Worker, job: Job) -> Event:
        worker.process.join(GRACE)
        worker.pipe.close()
        self._alive.remove(worker)
        code = worker.process.exitcode
        how = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
        return Event("died", job, f"the worker process died ({how})")


def serve(pipe: Connection, folder: Path, device: str, save: frozenset[int] | None) -> None:
    """A worker's life: receive a job, carry it out, send the outcomes, until None comes."""
    stopping = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())

    def tell(text: str) -> None:
        pipe.send(("warning", text))

    with contextlib.suppress(EOFError, OSError), warnings_told(tell):
        while (job := pipe.recv()) is not None:
            pipe.send(carry_out(job, folder, device, save, stopping.is_set, pipe.send))


def carry_out(
    job: Job,
    folder: Path,
    device: str,
    save: frozenset[int] | None,
    stop: Callable[[], bool],
    send: Callable[[tuple[str, Any]], None],
) -> tuple[str, Any]:
    """Train a job's runs; the message that tells how it went."""
    import torch

    from dareps.engine.device import device_of
    from dareps.engine.execute import Surroundings, execute
    from dareps.engine.loop import Stopped
    from dareps.engine.progress import Report
    from dareps.errors import DarepsError
    from dareps.recipe.bind import rebind

    def report(state: Report) -> None:
        send(("progress", (state.step, state.total, state.values)))

    try:
        place = device_of(device)
        if place.type == "cpu":
            torch.set_num_threads(1)
        runs = [rebind(config) for config in job.configs]
        return "done", execute(runs, Surroundings(folder, place, report, stop, save))
    except Stopped:
        return "stopped", None
    except DarepsError as error:
        return "fault", error
    except Exception:  # a fault of ours: the parent shows it
        return "fault", RuntimeError(traceback.format_exc())


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """Children started inside never see Ctrl-C, which a terminal sends to all: their parent tells them to stop.

    The mask is inherited; ignoring the signal in the child would come too late for its first imports.
    """
    resource_tracker.ensure_running()  # Its own start would lift the mask.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Children started inside compute on one thread unless the user has set a number."""
    added = [name for name in _THREADS if name not in os.environ]
    os.environ.update(dict.fromkeys(added, "1"))
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]
