"""One's own files as a dataset: tables, arrays, series and folders of images, described in YAML."""
