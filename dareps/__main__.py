"""`python -m dareps` is `dareps`."""

from __future__ import annotations

from dareps.cli import main

if __name__ == "__main__":
    main()
