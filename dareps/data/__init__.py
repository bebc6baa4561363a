"""Datasets, input transforms, representations, augmentations, splits with sealed target labels."""
