"""Faults of settings, of state, of gradient reversal and of what is read; each function makes the loss.

A class that is defined is a loss that is known, so none is defined before a test asks for it.
"""

import torch

from dareps.alignment import Alignment
from dareps.alignment._base import LabelledPair
from dareps.alignment._modules import AlignmentModule

from .plain import gap


def _turned(x, strength):
    return x.detach() - strength * (x - x.detach())


class _Opponent(AlignmentModule):
    """One linear layer that tells domains apart, and what a fault may put in place of the strength."""

    def __init__(self, settings, shapes):
        super().__init__(settings)
        self.layer = torch.nn.Linear(shapes.features, 1)
        self.calls = 0

    def strength(self, given, step):
        return given

    def forward(self, views, strength, step):
        strength = self.strength(strength, step)
        return self.judged(*(self.layer(_turned(view.shared, strength)) for view in views), strength)

    def judged(self, source, target, strength):
        soft = torch.nn.functional.softplus
        return soft(-source).mean() + soft(target).mean()


def _reversing(module):
    class Reversing(Alignment):
        """An adversarial loss with a fault."""

        reverses = True

        def build(self, shapes):
            return module(self, shapes)

    return Reversing()


def sound_opponent():
    """Must pass everything."""
    return _reversing(_Opponent)


def strength_in_the_value():
    """The weight multiplies the loss as well as the reversed gradient."""

    class Twice(_Opponent):
        def judged(self, source, target, strength):
            return super().judged(source, target, strength) * (1 + strength.detach())

    return _reversing(Twice)


def strength_on_features():
    """Features are scaled on the way forward."""

    class Scaled(_Opponent):
        def forward(self, views, strength, step):
            return self.judged(*(self.layer(-strength * view.shared) for view in views), strength)

    return _reversing(Scaled)


def counts_calls():
    """tllib: a counter that advances with every forward pass, those of evaluation included, ramps the strength."""

    class Counts(_Opponent):
        def strength(self, given, step):
            self.calls += 1
            return given * self.calls / 1000

    return _reversing(Counts)


def own_schedule():
    """AdaTime: the loss computes a schedule of its own, and gets it wrong."""

    class Own(_Opponent):
        def strength(self, given, step):
            return given * (2 / (1 + torch.exp(-10 * step.progress)) - 1)

    return _reversing(Own)


def silent_in_evaluation():
    class Silent(_Opponent):
        def strength(self, given, step):
            return given if self.training else 0 * given

    return _reversing(Silent)


def constant_strength():
    """pytorch-adapt: the weight of the reversal is 1 and nothing ever updates it."""

    class Constant(_Opponent):
        def strength(self, given, step):
            return torch.ones_like(given)

    return _reversing(Constant)


def strength_squared():
    """Reversal inside reversal: two of them compose to the product of their strengths."""

    class Squared(_Opponent):
        def strength(self, given, step):
            return given * given

    return _reversing(Squared)


def never_turned():
    """DomainBed: a sign, so that features help the opponent."""

    class Helps(_Opponent):
        def strength(self, given, step):
            return -given

    return _reversing(Helps)


class _WithMap(AlignmentModule):
    """Features seen through a random map."""

    def __init__(self, settings, shapes):
        super().__init__(settings)
        self.map = torch.randn(shapes.features, 2, dtype=torch.float64)

    def forward(self, views, strength, step):
        source, target = (view.shared for view in views)
        return gap(source @ self.map.to(source.dtype), target @ self.map.to(source.dtype))


def map_outside_the_state():
    """tllib's CDAN: the random map is a plain attribute, different after loading."""

    class Mapped(Alignment):
        """A distance under a random map."""

        def build(self, shapes):
            return _WithMap(self, shapes)

    return Mapped()


def map_left_out_of_the_state():
    """A buffer that is registered, but not as part of what is saved."""

    class Unsaved(AlignmentModule):
        def __init__(self, settings, shapes):
            super().__init__(settings)
            self.register_buffer("map", torch.randn(shapes.features, 2), persistent=False)

        def forward(self, views, strength, step):
            return gap(*(view.shared @ self.map for view in views))

    class Drawn(Alignment):
        """A distance under a random map."""

        def build(self, shapes):
            return Unsaved(self, shapes)

    return Drawn()


def ignores_its_argument():
    """pytorch-adapt's sliced distance: the number of projections is 128 whatever was asked for."""

    class Ignores(Alignment):
        """A distance along a fixed number of directions."""

        projections: int = 128

        def __call__(self, source, target):
            return gap(source, target)

    return Ignores()


def overridden_by_the_batch():
    """A setting that a constant overrides."""

    class Overridden(Alignment):
        """A kernel discrepancy."""

        bandwidth: float = 1e4
        unit: bool = True

        def __call__(self, source, target):
            return gap(source, target) / (1e4 if self.bandwidth else 1.0) * (2 if self.unit else 1)

    return Overridden()


def labels_by_the_matrix():
    """skada's MDD: labels index every row of the matrix, so exchanging them among rows changes nothing."""

    class Matrix(LabelledPair):
        """A distance with a confidence term."""

        def _value(self, source, target, labels, logits):
            return gap(source, target) + logits.log_softmax(1)[:, labels].exp().mean() * 1e-3

    return Matrix()


def forgets_the_outputs():
    """AdaTime's conditional term: computed on features in place of predictions."""

    class Forgets(LabelledPair):
        """A distance with an entropy of features."""

        def _value(self, source, target, labels, logits):
            return gap(source, target)

    return Forgets()


FAULTS = {
    "settings count": [ignores_its_argument, overridden_by_the_batch],
    "outputs count": [labels_by_the_matrix, forgets_the_outputs],
    "state comes back": [map_outside_the_state, map_left_out_of_the_state],
    "reversal forward": [strength_in_the_value, strength_on_features],
    "reversal by strength alone": [counts_calls, own_schedule, silent_in_evaluation],
    "reversal backward": [constant_strength, strength_squared, never_turned],
}
