"""Drawing from the global generators as a function of a seed, for code that draws from nothing else."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn


@contextmanager
def seeded(seed: int, devices: Sequence[torch.device] = ()) -> Iterator[None]:
    """Seed the generators of torch, numpy and Python inside, and put them back as they were."""
    python, arrays = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=list(devices)):
        torch.default_generator.manual_seed(seed)
        for device in devices:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed % 2**32)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(arrays)


def generators() -> tuple[object, ...]:
    """Where the global generators of torch (on the CPU), numpy and Python stand."""
    arrays = np.random.get_state(legacy=False)
    return torch.get_rng_state().numpy().tobytes(), str(arrays), random.getstate()


class DrawnTogether(nn.Module):
    """A stage whose weights come from one draw of the whole encoder that it is a stage of.

    Its `reset_parameters` takes the seed from torch's generator; what it draws need not say how itself.
    """

    drawn: tuple[str, ...] = ()
    """The parameters that it draws."""

    def reset_parameters(self) -> None:
        """Draw them."""
        raise NotImplementedError


def place_of(module: nn.Module, path: str) -> str:
    """The path by which a module's draw is keyed: that of the encoder for stages that are drawn together."""
    return path.rpartition(".chain.")[0] if isinstance(module, DrawnTogether) else path


def drawn_by(module: nn.Module) -> list[str]:
    """The names, below a module, of the parameters that its `reset_parameters` draws."""
    if isinstance(module, DrawnTogether) and module.drawn:
        return list(module.drawn)
    return [name for name, _ in module.named_parameters(recurse=False)]
