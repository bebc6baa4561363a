"""Gates for code that runs inside a step: no wait for the device, no copy from the host.

Both watch the operations that torch dispatches, so they work on a CPU, where neither costs anything and both would go
unnoticed. They are gates and no proofs: what only CUDA does differently is for tests on a GPU.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from dareps.errors import ContractError

# Operations whose result, or the shape of whose result, the host has to read before it can go on.
_WAITS: Final = (
    *("_local_scalar_dense", "is_nonzero", "equal", "allclose", "_linalg_check_errors"),
    *("nonzero", "nonzero_static", "argwhere", "masked_select", "repeat_interleave", "bincount"),
    *("_unique", "_unique2", "unique_dim", "unique_consecutive", "unique_dim_consecutive"),
    # Decompositions read an error code, or sizes, back inside the operation; those named `_ex` leave it to the caller.
    *("_linalg_eigh", "_linalg_svd", "linalg_eig", "_linalg_eigvals", "linalg_eigvals", "linalg_pinv"),
    "linalg_matrix_exp",
)
# Methods that hand the data itself to the host; on a CPU they dispatch nothing.
_HANDOVERS: Final = (Tensor.tolist, Tensor.numpy, Tensor.cpu, Tensor.__array__, Tensor.__dlpack__)
_INDEXING: Final = frozenset({"index", "index_put", "index_put_", "_index_put_impl_"})
_MASKS: Final = (torch.bool, torch.uint8)
_COPIES: Final = frozenset({"_to_copy", "copy_", "copy", "_copy_from"})
_CONSTANTS: Final = frozenset({"lift_fresh", "lift", "lift_fresh_copy", "_pin_memory"})


class _DispatchGate(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Asks `judge` about every dispatched operation and refuses what it names."""

    def __init__(self, where: str, judge: Callable[[str, Sequence[Any], Mapping[str, Any]], str], fix: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.where, self.judge, self.fix = where, judge, fix

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        found = self.judge(func.overloadpacket.__name__, args, kwargs or {})
        if found:
            raise ContractError(self.where, f"{found} ({func})", fix=self.fix)
        return func(*args, **(kwargs or {}))


class _HandoverGate(TorchFunctionMode):
    """Refuses the methods that give a tensor's data to Python."""

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func in _HANDOVERS or (func is Tensor.to and _names_the_host((*args[1:], *(kwargs or {}).values()))):
            what = f"a tensor's data is handed to the host ({getattr(func, '__name__', func)})"
            raise ContractError("host synchronisation", what, fix="Stay in tensors until the step is over.")
        return func(*args, **(kwargs or {}))


@contextmanager
def forbid_host_sync() -> Iterator[None]:
    """Refuse every operation inside that waits for the device: item, bool, tolist, boolean masks, nonzero, unique.

    Raises:
        ContractError: Names the operation, at the place in the code that called it.
    """
    fix = "Keep the value in a tensor; choose with torch.where, drop rows with weights of 0."
    with _HandoverGate(), _DispatchGate("host synchronisation", _wait, fix):
        yield


@contextmanager
def forbid_host_copies() -> Iterator[None]:
    """Refuse every copy between devices inside, constants made from Python data included: they cannot be captured.

    Shapes that depend on values are what `forbid_host_sync` refuses; a step that can be captured passes both.

    Raises:
        ContractError: Names the operation, at the place in the code that called it.
    """
    fix = "Fill constants on the device with new_full, new_zeros, arange or a Python number in the formula."
    with _DispatchGate("host copy", _copy, fix):
        yield


def _names_the_host(arguments: Sequence[Any]) -> bool:
    """Whether the CPU is meant wherever the data may be; the device of another tensor is an object."""
    return any(isinstance(argument, str) and argument.startswith("cpu") for argument in arguments)


def _wait(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    if name in _WAITS and not (name == "repeat_interleave" and "output_size" in kwargs):
        return "the host waits for a value"
    if name in _INDEXING and any(index is not None and index.dtype in _MASKS for index in args[1]):
        return "the host waits for the number of rows that a boolean mask keeps"
    return ""


def _copy(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    if name in _CONSTANTS:
        return "a tensor is made from host data"
    if name not in _COPIES:
        return ""
    devices = {argument.device for argument in args if isinstance(argument, Tensor)}
    if kwargs.get("device") is not None:
        devices.add(torch.device(kwargs["device"]))
    return "data moves between devices" if len(devices) > 1 else ""
