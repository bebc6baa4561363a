"""Which tasks a step trains: samplers, one file each."""

from dareps.sampling._base import Moment, TaskSampler
from dareps.sampling.joint import Joint

__all__ = ["Joint", "Moment", "TaskSampler"]
