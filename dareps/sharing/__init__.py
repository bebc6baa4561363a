"""Sharing schemes: which parameters tasks or domains have in common, one file each."""

from dareps.sharing._base import Blueprint, SharingScheme, Term

__all__ = ["Blueprint", "SharingScheme", "Term"]
