"""Sharing schemes: which parameters tasks or domains have in common, one file each."""

from dareps.sharing._base import SharingScheme

__all__ = ["SharingScheme"]
