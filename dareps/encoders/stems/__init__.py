"""Stems: what gives rows of one form the form that an encoder reads, one file each."""

from dareps.encoders.stems._base import Stem

__all__ = ["Stem"]
