"""Augmentations: keyed random changes of input rows, one file each."""
