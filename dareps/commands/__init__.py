"""What the commands of `dareps.cli` do, one file each."""
