"""Recipes: YAML and overrides to bound settings, and bound settings to a trainable method."""
