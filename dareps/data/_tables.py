"""The process behind the shifted tables, the best that can be made of it, and how that is known.

Shape legend: `n` rows of 10 coordinates z, 3 kinds. With kinds y of shares p, s = noise and independent normal draws,

    z_0 ~ N(MOVE covariate, 1),      t_k = 2 pi k / 3 + TURN z_0,      e(t) = (cos t, sin t),
    (z_1, z_2) ~ N(RADIUS e(t_y), s^2 I),      z_3, ..., z_9 ~ N(0, NUISANCE^2),

so that kinds lie on a ring that turns along z_0. All three means are RADIUS from the centre, hence by Bayes' rule

    P(y | z) = softmax_k(log p_k + RADIUS / s^2 <(z_1, z_2), e(t_k)>),

which z_0 enters as a condition alone: moving it is covariate shift, exactly. `label` moves p from thirds to
`PROPORTIONS`. `conditional` renames kind k to k + 1 (mod 3) where z_6 is in the lowest share `conditional` of its
distribution: P(y | z) changes and the distribution of z does not. The table is x = Q z in the source, with a fixed
orthogonal Q that mixes all columns, and in the target

    x = Q (R z + b) = A x_source + Q b,      A = Q R Q',

where R turns the planes (z_1, z_3) and (z_2, z_4) by TILT subspace, and b moves z_5 by OFFSET subspace.

Best scores. In units of s the kinds' means are rho = RADIUS / s from the centre. The two contrasts
<(z_1, z_2) / s, e(t_y) - e(t_k)>, k != y, are normal with mean 3 rho / 2, variance 3 and correlation 1/2, so that

    P(best guess = y | y) = integral phi(n) prod_{k != y} Phi(sqrt(2) h_k + n) dn,
    h_k = (3 rho^2 / 2 + log(p_y / p_k)) / (sqrt(3) rho),

one integral. Moving z_0, names and invertible maps do not enter. The source's best rule takes the nearest of the t_k
whatever the shares, and in the target sees (z_1, z_2) through R: as if rho were RADIUS cos a / sqrt(s^2 cos^2 a +
NUISANCE^2 sin^2 a) at a = TILT subspace. Renaming makes it right in half of the cases in which it was wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dareps.data._draws import generator, strata

VERSION = 1
WIDTH, KINDS = 10, 3
RADIUS, TURN = 2.0, np.pi / 6
"""Distance of each kind from the centre; by how much the ring turns over one deviation of z_0 in the source."""
NUISANCE = 0.5
MOVE, OFFSET = 2.5, 1.0
TILT = 5 * np.pi / 12
"""75 degrees. At 90 nothing of the kinds would be left where they were."""
PROPORTIONS = np.array([0.75, 0.2, 0.05])
_REACH, _POINTS = 9.0, 4001
"""The integral is a sum over even steps, which for smooth functions that end in nothing errs by rounding alone."""


@dataclass(frozen=True, slots=True)
class Process:
    """A domain's distribution of rows and kinds: how far each dial is turned, and the noise within kinds."""

    noise: float = 1.0
    covariate: float = 0.0
    label: float = 0.0
    conditional: float = 0.0
    subspace: float = 0.0

    def shares(self) -> np.ndarray:
        """P(kind) before any is renamed, (3,)."""
        return (1 - self.label) / KINDS + self.label * PROPORTIONS

    def draw(self, count: int, *key: object) -> tuple[np.ndarray, np.ndarray]:
        """Rows x (n, 10) float64 and kinds (n,) int64.

        Every kind has its share of the rows, to one, before any is renamed. What is drawn for a row depends on the key
        and its number alone: a dial moves what it concerns.
        """
        places = strata(np.zeros(count, dtype=np.int64), "tables", VERSION, *key, "kind")
        kinds = np.searchsorted(np.cumsum(self.shares())[:-1], places, side="right")
        z = generator("tables", VERSION, *key).standard_normal((count, WIDTH))
        z[:, 0] += MOVE * self.covariate
        angle = angles(z)[np.arange(count), kinds]
        z[:, 1:3] = self.noise * z[:, 1:3] + RADIUS * np.column_stack([np.cos(angle), np.sin(angle)])
        z[:, 3:] *= NUISANCE
        return self.shown(z), (kinds + self.renamed(z)) % KINDS

    def shown(self, z: np.ndarray) -> np.ndarray:
        """The table's columns x (n, 10) of coordinates z (n, 10)."""
        z = z @ rotation(TILT * self.subspace).T
        z[:, 5] += OFFSET * self.subspace
        return np.asarray(z @ mixing().T)

    def hidden(self, x: np.ndarray) -> np.ndarray:
        """The coordinates z (n, 10) of a table's rows: the inverse of `shown`."""
        z = x @ mixing()
        z[:, 5] -= OFFSET * self.subspace
        return np.asarray(z @ rotation(TILT * self.subspace))

    def renamed(self, z: np.ndarray) -> np.ndarray:
        """Whether the kind of each row is renamed, (n,) bool."""
        from scipy.special import ndtr

        return np.asarray(ndtr(z[:, 6] / NUISANCE) < self.conditional)

    def chances(self, x: np.ndarray) -> np.ndarray:
        """P(kind | row) of rows (n, 10), as (n, 3): exact."""
        from scipy.special import softmax

        z = self.hidden(x)
        along = z[:, 1, None] * np.cos(angles(z)) + z[:, 2, None] * np.sin(angles(z))
        with np.errstate(divide="ignore"):
            chances: np.ndarray = softmax(np.log(self.shares()) + RADIUS / self.noise**2 * along, axis=1)
        return np.where(self.renamed(z)[:, None], np.roll(chances, 1, axis=1), chances)

    def best(self) -> float:
        """The accuracy of the most probable kind: what no rule can beat in expectation."""
        return accuracy(self.shares(), RADIUS / self.noise)

    def source_rule(self) -> float:
        """The accuracy that the best rule of the undisturbed process has here."""
        right = accuracy(np.full(KINDS, 1 / KINDS), self.seen(TILT * self.subspace))
        return (1 - self.conditional) * right + self.conditional * (1 - right) / 2

    def halfway(self) -> float:
        """The accuracy of the same rule on planes half way between the source's and the target's.

        Features of these planes have one distribution in both domains if `subspace` is the only dial that is turned.
        """
        return accuracy(np.full(KINDS, 1 / KINDS), self.seen(TILT * self.subspace / 2))

    def seen(self, angle: float) -> float:
        """Distance of the kinds from the centre, in deviations, on planes that are tilted by an angle."""
        across = np.hypot(self.noise * np.cos(angle), NUISANCE * np.sin(angle))
        return float(RADIUS * np.cos(angle) / across)


def angles(z: np.ndarray) -> np.ndarray:
    """Where on the ring each kind lies, (n, 3)."""
    return TURN * z[:, :1] + 2 * np.pi / KINDS * np.arange(KINDS)


def mixing() -> np.ndarray:
    """The orthogonal Q (10, 10): cosines of a discrete transform."""
    places = np.arange(WIDTH)
    matrix = np.sqrt(2 / WIDTH) * np.cos(np.pi / WIDTH * np.outer(places + 0.5, places))
    matrix[:, 0] /= np.sqrt(2)
    return np.asarray(matrix)


def rotation(angle: float) -> np.ndarray:
    """The orthogonal R (10, 10), which turns the planes (z_1, z_3) and (z_2, z_4)."""
    matrix = np.eye(WIDTH)
    for signal, nuisance in ((1, 3), (2, 4)):
        matrix[[signal, nuisance], [signal, nuisance]] = np.cos(angle)
        matrix[signal, nuisance], matrix[nuisance, signal] = -np.sin(angle), np.sin(angle)
    return matrix


def accuracy(shares: np.ndarray, distance: float) -> float:
    """How often the most probable of three kinds of shares (3,) is right, `distance` deviations from the centre."""
    from scipy.special import ndtr

    n = np.linspace(-_REACH, _REACH, _POINTS)
    density = np.exp(-(n**2) / 2) / np.sqrt(2 * np.pi) * (n[1] - n[0])
    total = 0.0
    for kind, share in enumerate(shares):
        others = np.delete(shares, kind)
        lead = (1.5 * distance**2 + np.log(share / others)) / (np.sqrt(3) * distance)
        total += float(share * density @ ndtr(np.sqrt(2) * lead[:, None] + n).prod(axis=0))
    return total
