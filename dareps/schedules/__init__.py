"""Schedules: functions of training progress for weights and learning rates."""

from dareps.schedules.basic import Annealing, Constant, Cosine, Linear, Ramp, Schedule, Warmup

__all__ = ["Annealing", "Constant", "Cosine", "Linear", "Ramp", "Schedule", "Warmup"]
