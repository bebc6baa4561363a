"""Balancers: task losses to one update, one file each."""

from dareps.balancing._base import Balancer

__all__ = ["Balancer"]
