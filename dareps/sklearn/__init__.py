"""dareps as a scikit-learn estimator: `from dareps.sklearn import DomainAdapter`."""

from dareps.sklearn.adapter import DomainAdapter

__all__ = ["DomainAdapter"]
