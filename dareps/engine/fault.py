"""What is told of a part that broke: one line with its place, and the whole traceback in a file."""

from __future__ import annotations

import contextlib
import traceback
from pathlib import Path

import torch

FOLDER = "failures"
_LIBRARIES = tuple(str(Path(module).parent) for module in (torch.__file__, contextlib.__file__))


def fault_line(error: Exception, folder: Path, key: str) -> str:
    """`TYPE: message (FILE line N; traceback: failures/KEY.txt)`; the place is the last one outside of libraries.

    Args:
        error: What was raised.
        folder: Output folder, which gets the traceback.
        key: Names the run.
    """
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith(_LIBRARIES)] or list(frames)
    message = str(error).splitlines()[0] if str(error) else "no message"
    place = f"{Path(own[-1].filename).name} line {own[-1].lineno}" if own else "place unknown"
    file = folder / FOLDER / f"{key[:8]}.txt"
    text = "".join(traceback.format_exception(error))
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError:  # The place alone must do; the run has failed anyway.
        return f"{type(error).__name__}: {message} ({place})"
    return f"{type(error).__name__}: {message} ({place}; traceback: {file})"
