"""Where the numbers of runs go besides the store: Weights & Biases, in a process of its own."""

from dareps.tracking.account import Account, account
from dareps.tracking.tracker import NoTracker, RunInfo, Tracker
from dareps.tracking.weights_and_biases import WandbTracker, make_tracker, wandb_id

__all__ = ["Account", "NoTracker", "RunInfo", "Tracker", "WandbTracker", "account", "make_tracker", "wandb_id"]
