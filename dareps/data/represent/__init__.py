"""Representations: maps of input rows learned from unlabelled rows of both domains, one file each."""
