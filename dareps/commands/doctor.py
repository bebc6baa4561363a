"""`dareps doctor`: what is here, what is missing, and how to mend it."""

from __future__ import annotations

import importlib
import platform
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Literal

from dareps import __version__
from dareps.commands._output import console, say
from dareps.plugin import broken, families

State = Literal["ok", "info", "fault"]
PACKAGES = (
    *("numpy", "scipy", "scikit-learn", "einops", "pydantic", "PyYAML", "typer", "rich", "matplotlib", "safetensors"),
    *("wandb", "platformdirs", "Jinja2"),
)
_STYLES = {"ok": "green", "info": "dim", "fault": "bold red"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at.

    Attributes:
        what: What was looked at.
        state: `fault` is what keeps dareps from working; `info` is worth knowing.
        text: What was found.
        fix: What to do about a fault.
    """

    what: str
    state: State
    text: str
    fix: str = ""


def doctor(out: Path) -> int:
    """Print all findings; returns 1 when there is a fault."""
    from rich.table import Table
    from rich.text import Text

    found = list(findings(out))
    table = Table(title=f"dareps {__version__}", title_justify="left")
    for name in ("", "state", "found"):
        table.add_column(name, overflow="fold")
    for one in found:
        table.add_row(Text(one.what), Text(one.state, style=_STYLES[one.state]), Text(one.text))
    console().print(table)
    faults = [one for one in found if one.state == "fault"]
    for one in faults:
        say(f"fault: {one.what}: {one.text}. {one.fix}")
    say("Everything that dareps needs is here." if not faults else f"{len(faults)} to mend.")
    return 1 if faults else 0


def findings(out: Path) -> Iterator[Finding]:
    """Everything that is looked at, in order."""
    yield Finding("python", "ok", f"{platform.python_version()} on {platform.platform()}")
    yield from _packages()
    yield from _torch()
    yield from _data()
    yield from _plugins()
    yield _tracking()
    yield _writable("output folder", out, "Choose another with --out.")
    yield _cache()


def matching(torch: str, torchvision: str, wanted: str | None, builds: tuple[str, str]) -> str:
    """Why two builds do not belong together, or nothing.

    Args:
        torch: Version of torch.
        torchvision: Version of torchvision.
        wanted: The version of torch that torchvision names as its own.
        builds: What each was built for, as `build` names it; empty where it is not known.
    """
    own = torch.partition("+")[0]
    if wanted is not None and own != wanted.partition("+")[0]:
        return f"torchvision {torchvision} belongs to torch {wanted}, but torch is {torch}"
    if all(builds) and builds[0] != builds[1]:
        return f"torch {torch} was built for {builds[0]}, torchvision {torchvision} for {builds[1]}"
    return ""


def build(version: str, cuda: str | None) -> str:
    """`cpu` or `cu128`: the version's own tag, else from the CUDA version, `12.8` or 12080; empty when not known."""
    tag = version.partition("+")[2]
    if tag or cuda is None:
        return tag
    if cuda.isdecimal() and int(cuda) >= 1000:
        return f"cu{int(cuda) // 1000}{int(cuda) % 1000 // 10}"
    return "cu" + "".join(cuda.split(".")[:2])


def _packages() -> Iterator[Finding]:
    versions = {name: _version(name) for name in PACKAGES}
    present = [f"{name} {version}" for name, version in versions.items() if version]
    yield Finding("packages", "ok", ", ".join(present))
    for name, version in versions.items():
        if not version:
            yield Finding(name, "fault", "not installed", f"Run: pip install {name}")


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _torch() -> Iterator[Finding]:
    torch = _imported("torch")
    if isinstance(torch, str):
        yield Finding("torch", "fault", torch, "Run: pip install 'torch>=2.10' torchvision")
        return
    yield Finding("torch", "ok", torch.__version__)
    yield _torchvision(torch)
    yield from _device(torch)


def _imported(name: str) -> ModuleType | str:
    """A module, or why it cannot be imported."""
    try:
        return importlib.import_module(name)
    except Exception as error:  # Mismatched builds raise anything at all.
        return f"cannot be imported ({type(error).__name__}: {(str(error) or '?').splitlines()[0]})"


def _torchvision(torch: ModuleType) -> Finding:
    fix = "Install both together, from the same index: pip install --force-reinstall torch torchvision"
    vision = _imported("torchvision")
    if isinstance(vision, str):
        return Finding("torchvision", "fault", f"{vision}; torch is {torch.__version__}", fix)
    builds = build(torch.__version__, torch.version.cuda), build(vision.__version__, _cuda_of(vision))
    wrong = matching(torch.__version__, vision.__version__, _wanted_torch(), builds)
    if wrong:
        return Finding("torchvision", "fault", wrong, fix)
    return Finding("torchvision", "ok", f"{vision.__version__}, matches torch")


def _cuda_of(vision: ModuleType) -> str | None:
    cuda = getattr(vision.version, "cuda", None)
    return None if cuda is None else str(cuda)


def _wanted_torch() -> str | None:
    """The exact version of torch that the installed torchvision asks for."""
    for requirement in metadata.requires("torchvision") or []:
        if found := re.match(r"torch\s*\(?==\s*([\w.]+)", requirement):
            return found[1]
    return None


def _device(torch: ModuleType) -> Iterator[Finding]:
    from dareps.commands._device import cores

    if torch.cuda.is_available():
        names = ", ".join(torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count()))
        yield Finding("device", "ok", f"cuda: {names} (CUDA {torch.version.cuda})")
    else:
        yield Finding("device", "info", "cpu; no CUDA device can be used here")
    yield Finding("threads", "ok", f"{cores()} cores; a run on CPU uses one thread, a suite one process per core")


def _data() -> Iterator[Finding]:
    from dareps.data.catalogue import datasets_table

    for entry in datasets_table():
        if entry.state == "missing":
            names = entry.where.split(", ")
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            text = f"{names[0]}{more} missing; to have it: dareps data get {entry.name}"
            yield Finding(f"data {entry.name}", "info", text)
        else:
            yield Finding(f"data {entry.name}", "ok", entry.where or entry.state)


def _plugins() -> Iterator[Finding]:
    """Installed third-party plug-ins that are broken; files given by --plugin are not known here."""
    families()
    for fault in broken():
        yield Finding(fault.where, "fault", fault.what, fault.fix)


def _tracking() -> Finding:
    from dareps.tracking import account
    from dareps.tracking.account import MODES

    found = account()
    if found.mode not in MODES:
        return Finding("Weights & Biases", "fault", f"{found.mode}: {found.reason}", f"Choose {', '.join(MODES)}.")
    return Finding("Weights & Biases", "info" if found.mode == "disabled" else "ok", f"{found.mode}: {found.reason}")


def _cache() -> Finding:
    from dareps.data._roots import cache_dir

    return _writable("cache folder", cache_dir(), "Name another folder in DAREPS_CACHE.")


def _writable(what: str, folder: Path, fix: str) -> Finding:
    """Whether files can be made in a folder, or in the one that it would be made in."""
    place = folder.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        return Finding(what, "fault", f"{folder} cannot be written ({error.strerror})", fix)
    return Finding(what, "ok", f"{folder} can be written")
