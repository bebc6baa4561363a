import numpy as np
import pytest

from dareps.selection import DomainBound, Outputs, ValidationView


def _view(shift, right=1.0, rows=400):
    generator = np.random.default_rng(0)
    labels = np.arange(rows) % 2
    guesses = np.where(np.arange(rows) < right * rows, labels, 1 - labels)

    def outputs(centre):
        return Outputs(centre + generator.normal(size=(rows, 3)), np.eye(2)[guesses])

    return ValidationView(1, outputs(0.0), outputs(0.0), labels, outputs(shift))


def test_without_a_shift_it_is_the_source_accuracy_up_to_the_classifiers_luck():
    assert DomainBound()(_view(0.0, right=0.75)) == pytest.approx(0.75, abs=0.1)


def test_far_domains_cost_one():
    assert DomainBound()(_view(50.0)) == pytest.approx(0.0)


def test_it_falls_with_the_shift_as_the_closed_form_says():
    # Unit Gaussians in 3 dimensions, every coordinate shifted by s: the best error is Phi(-s sqrt(3) / 2).
    from scipy.stats import norm

    found = [DomainBound()(_view(shift, rows=4000)) for shift in (0.3, 0.6, 1.2)]
    expected = [2 * norm.cdf(-shift * np.sqrt(3) / 2) for shift in (0.3, 0.6, 1.2)]
    assert found == pytest.approx(expected, abs=0.06)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_broken_features_lose(value):
    view = _view(0.0)
    view.target.features[3, 1] = value
    assert DomainBound()(view) == -np.inf
