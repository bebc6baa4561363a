"""Losses with one fault each, re-created from the faults of the field, and the law that must name it.

None of them shares code with the kit or with the shipped losses.
"""

from inspect import signature

from . import built, claimed, gradients, inputs, values

_PARTS = (values, claimed, inputs, gradients, built)
FAULTS = {
    law: [fault for part in _PARTS for fault in part.FAULTS.get(law, ())]
    for law in dict.fromkeys(law for part in _PARTS for law in part.FAULTS)
}
CLAIMS = claimed.CLAIMS | gradients.CLAIMS
OF_ONE = claimed.OF_ONE | gradients.OF_ONE


def loss_of(fault):
    """The loss itself; faults that need a class are functions of nothing that make it."""
    return fault if signature(fault).parameters else fault()


def claims_of(law, fault):
    """What a faulty loss claims, so that the law applies to it."""
    return CLAIMS.get(law, {}) | OF_ONE.get(fault, {})
