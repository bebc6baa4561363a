"""What keeps a training step from being captured: parts of it that need the host."""

from __future__ import annotations

from dareps.maths.staged import hosts_in
from dareps.recipe.bind import parts
from dareps.recipe.method import Method


def hosts_of(method: Method, pool: str) -> list[str]:
    """What needs the host in every step of a method, as errors call it.

    Args:
        method: The method.
        pool: What the pool of its rows needs the host for; empty for nothing.
    """
    plugins = [type(part).name for part in parts(method.recipe) if part.host]
    encoders = [f"the encoder's network ({why})" for why in hosts_in(method)]
    return [*plugins, *encoders, *filter(None, [pool])]
