"""The tests are a package, so that its folders may use names that the repository uses too."""
