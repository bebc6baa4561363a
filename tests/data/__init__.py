"""Tests of datasets, splits, transforms, downloads and augmentations."""
