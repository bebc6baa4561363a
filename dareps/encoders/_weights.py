"""The setting `weights` of encoders that others have trained."""

from __future__ import annotations

from pathlib import Path

from dareps.errors import ConfigError

SUFFIXES = (".safetensors", ".pt", ".pth", ".bin")


def as_file(weights: str | None) -> Path | None:
    """The file that `weights` means, or None where it is a name or nothing.

    Raises:
        ConfigError: There is no such file.
    """
    if weights is None or ("/" not in weights and not weights.endswith(SUFFIXES)):
        return None
    path = Path(weights).expanduser()
    if not path.is_file():
        fix = "Give a file of weights, or the name of weights that the library knows."
        raise ConfigError("encoder.weights", "there is no such file", weights, fix)
    return path


def check_images(where: str, shape: tuple[int, ...]) -> None:
    """Refuse inputs that are no images.

    Raises:
        ConfigError: Shows their shape.
    """
    if len(shape) != 3:
        raise ConfigError(where, "needs images (channels, height, width)", shape, "Use mlp.")
