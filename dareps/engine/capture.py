"""A training step as a CUDA graph: the same function, replayed."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from dareps.errors import ConfigError

WARM_UP = 3
"""Steps taken eagerly before a capture, so that libraries have set themselves up."""


@dataclass(slots=True)
class Inputs:
    """Everything that changes from step to step, as tensors on the device.

    Attributes:
        index: Row numbers (n,) or (S, n).
        step: Number of the step over the run, 0-d int64.
        progress: In the phase, 0-d.
        total_progress: In the run, 0-d.
        strengths: Weight times schedule of every alignment, (k,).
        rate: Learning rate, 0-d float32.
    """

    index: Tensor
    step: Tensor
    progress: Tensor
    total_progress: Tensor
    strengths: Tensor
    rate: Tensor


StepFunction = Callable[[Inputs], dict[str, Tensor]]


class Captured:
    """Wraps a step function: a few eager steps, one capture, replays from then on.

    Args:
        step: Reads `Inputs` and updates parameters in place; returns the logged parts.
    """

    def __init__(self, step: StepFunction) -> None:
        self.step, self.seen = step, 0
        self.graph: torch.cuda.CUDAGraph | None = None
        self.static: Inputs | None = None
        self.outputs: dict[str, Tensor] = {}

    def __call__(self, inputs: Inputs) -> dict[str, Tensor]:
        """The logged parts of one step, cloned so that the next replay leaves them alone."""
        self.seen += 1
        if self.seen <= WARM_UP:
            return self._eager(inputs)
        if self.graph is None:
            self._capture(inputs)
        assert self.graph is not None
        assert self.static is not None
        for field in fields(Inputs):
            getattr(self.static, field.name).copy_(getattr(inputs, field.name), non_blocking=True)
        self.graph.replay()
        return {name: value.clone() for name, value in self.outputs.items()}

    def _eager(self, inputs: Inputs) -> dict[str, Tensor]:
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            outputs = self.step(inputs)
        torch.cuda.current_stream().wait_stream(stream)
        return outputs

    def _capture(self, inputs: Inputs) -> None:
        copies = {field.name: getattr(inputs, field.name).clone() for field in fields(Inputs)}
        self.static = replace(inputs, **copies)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.outputs = self.step(self.static)


def maybe_capture(step: StepFunction, setting: str, device: torch.device, host: list[str]) -> StepFunction:
    """The step function, captured where the setting and the device allow it; a refusal is explained once.

    Args:
        step: The step function.
        setting: `auto`, `on` or `off`.
        device: Where it runs.
        host: Names of plug-ins that compute on the host and so rule capture out.
    """
    if setting == "off":
        return step
    reason = "the device has no CUDA graphs" if device.type != "cuda" else ""
    if host:
        reason = f"{', '.join(host)} work on the host"
    if not reason:
        return Captured(step)
    if setting == "on":
        raise ConfigError("engine.capture", f"the step cannot be captured: {reason}", "on", "Use auto or off.")
    if host and device.type == "cuda":
        warnings.warn(f"engine.capture: not captured: {reason}.", stacklevel=2)
    return step
