"""How far two domains are apart, without any label."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dareps.transfer.scores._inputs import Values


def proxy_a_distance(source: Values, target: Values, *, rows: int = 500, penalty: float = 1.0) -> float:
    """Proxy A-distance of two samples (n, d) and (m, d): 0 where they cannot be told apart, 2 where they always can.

    max(0, 2 (1 - 2 e)), e the balanced error of a logistic regression that learns to tell every second row of the two
    from each other, on the rows between. Lower is more alike. Ben-David et al., NIPS 2006.

    Args:
        source: Features (n, d), n at least 2; rows that belong together must not stand in pairs.
        target: Features (m, d), m at least 2, from the same encoder.
        rows: At most this many rows of each sample train the classifier, evenly spaced.
        penalty: Weight of |weights|^2 / 2 in the classifier.

    Raises:
        DataError: Samples that are not finite numbers, of different widths, or of fewer than two rows.
    """
    from dareps.errors import DataError
    from dareps.maths import domain_classifier
    from dareps.transfer.scores._inputs import rows_of

    samples = [rows_of(f"proxy_a_distance {side}", each) for side, each in (("source", source), ("target", target))]
    shapes = samples[0].shape, samples[1].shape
    if shapes[0][1] != shapes[1][1]:
        raise DataError("proxy_a_distance", "source and target differ in width", shapes, "Use one encoder for both.")
    if min(shapes)[0] < 2:
        raise DataError("proxy_a_distance", "a sample needs two rows, one to learn from", shapes, "Give more rows.")
    seen, held = ((samples[0][start::2], samples[1][start::2]) for start in (0, 1))
    return domain_classifier.proxy_a_distance(seen, held, rows=rows, penalty=penalty)
