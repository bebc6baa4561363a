"""The one training loop and what it needs: population, capture, precision, checkpoints, evaluation."""
