"""Encoders: ordered stages from inputs to features, one file each."""

from dareps.encoders._base import Encoder

__all__ = ["Encoder"]
