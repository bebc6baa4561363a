"""Datasets, input transforms, augmentations, splits with sealed target labels."""
