"""The law kit as its users meet it: what a violation carries, what claims and settings do."""

import math
import pickle

import pytest
import torch

from dareps import plugin
from dareps.alignment import (
    CORAL,
    MMD,
    Adversarial,
    Alignment,
    TargetTerm,
)
from dareps.alignment._base import LabelledPair
from dareps.alignment._settings import CLAIMS
from dareps.errors import ContractError
from dareps.testing import Interval, LawViolation, alignment_laws, check_alignment, parametrize_alignments
from tests.testing._faulty.built import sound_opponent
from tests.testing._faulty.claimed import constant_offset, wrong_degree
from tests.testing._faulty.values import correct, paired_rows


@pytest.fixture(autouse=True)
def _forget_losses_defined_here(monkeypatch):
    monkeypatch.setitem(plugin._registry, "alignment", dict(plugin._registry["alignment"]))


def test_correct_callable_passes_with_all_that_it_claims():
    claims = {"symmetric": True, "nonnegative": True, "zero_on_identical": True, "translation": True, "rotation": True}
    check_alignment(correct, max_examples=20, **claims)
    check_alignment(wrong_degree, max_examples=20, scale=2)


def test_scale_of_zero_is_a_claim_and_not_its_absence():
    with pytest.raises(LawViolation, match="scale"):
        check_alignment(wrong_degree, max_examples=20, scale=0)


def test_violation_carries_the_shrunk_example_and_a_hint():
    with pytest.raises(LawViolation) as caught:
        check_alignment(paired_rows, max_examples=20)
    error = caught.value
    assert isinstance(error, AssertionError)
    assert set(error.example) == {"source", "target", "source_order", "target_order"}
    numbers = sorted(abs(number) for side in ("source", "target") for row in error.example[side] for number in row)
    assert len(numbers) <= 6
    assert set(numbers) == {0, 1}
    assert "row i" in error.hint
    assert "row order" in str(error)
    again = pickle.loads(pickle.dumps(error))
    assert (again.law, again.example, again.hint) == (error.law, error.example, error.hint)


def test_same_violation_every_time():
    found = []
    for _ in range(2):
        with pytest.raises(LawViolation) as caught:
            check_alignment(constant_offset, zero_on_identical=True, max_examples=8)
        found.append(caught.value.example)
    assert found[0] == found[1]


def test_crash_of_the_loss_becomes_a_violation_that_quotes_it():
    def crashes(x, y):
        raise RuntimeError("size mismatch at the seam")

    with pytest.raises(LawViolation, match=r"RuntimeError: size mismatch at the seam") as caught:
        check_alignment(crashes, max_examples=5)
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_claims_can_be_taken_back_and_added():
    class Offset(Alignment):
        """A loss with an offset, which claims too much."""

        zero_on_identical = True

        def __call__(self, source, target):
            return constant_offset(source, target)

    with pytest.raises(LawViolation, match="zero on identical"):
        check_alignment(Offset, max_examples=10)
    check_alignment(Offset(), zero_on_identical=False, max_examples=10)


def test_declared_domain_counts_unless_another_is_given():
    class Root(TargetTerm):
        """Finite above 0 only."""

        domain = Interval(1.0, 2.0)

        def __call__(self, target):
            return (target.sqrt() - 1).square().mean()

    check_alignment(Root(), max_examples=10)
    with pytest.raises(LawViolation, match="finite"):
        check_alignment(Root(), domain=Interval(-2.0, 2.0), max_examples=50)


def test_learned_loss_without_gradient_to_features_is_caught():
    from dareps.alignment._modules import AlignmentModule

    class Deaf(AlignmentModule):
        def __init__(self, settings):
            super().__init__(settings)
            self.scale = torch.nn.Parameter(torch.ones(()))

        def forward(self, views, strength, step):
            return self.scale * sum(view.shared.detach().square().mean() for view in views)

    class Deafening(Alignment):
        """Learns, but teaches the features nothing."""

        def build(self, shapes):
            return Deaf(self)

    with pytest.raises(LawViolation, match="gradient reaches"):
        check_alignment(Deafening(), max_examples=10)


def test_sub_steps_that_move_the_encoder_count_and_others_do_not():
    from dareps.alignment._modules import AlignmentModule
    from dareps.types import SubStep

    class Turns(AlignmentModule):
        def steps(self):
            own = SubStep("own", trains=(self.settings.part,), tasks=False)
            return (own, SubStep(), SubStep("features", trains=("encoder",), tasks=False))

        def forward(self, views, strength, step):
            value = views[{"all": 0, "features": 1}.get(step.sub.name, 0)].shared.square().mean()
            return value * math.nan if step.sub.name == "own" else value

    class Turning(Alignment):
        """Each side is taught in a sub-step of its own, and a third one is worth no number."""

        part: str = "align"

        def build(self, shapes):
            return Turns(self)

    check_alignment(Turning(), max_examples=5, nonnegative=True)
    with pytest.raises(LawViolation, match="finite"):
        check_alignment(Turning(part="encoder"), max_examples=5)


def test_built_loss_draws_its_parameters_without_the_global_generator():
    before = torch.get_rng_state()
    check_alignment(Adversarial(), max_examples=2)
    assert torch.equal(before, torch.get_rng_state())


def test_what_is_no_loss_is_refused():
    with pytest.raises(ContractError, match="callable"):
        check_alignment("mmd")


def test_chosen_laws_alone_are_tried():
    check_alignment(paired_rows, max_examples=5, laws=("scalar", "finite"))
    with pytest.raises(LawViolation, match="row order"):
        check_alignment(paired_rows, max_examples=5, laws=["row order"])
    with pytest.raises(ContractError, match="Did you mean 'row order'"):
        check_alignment(paired_rows, laws=["row orders"])


def test_laws_are_listed_with_a_line_each():
    laws = alignment_laws()
    assert len(laws) == 36
    assert all(line and "\n" not in line for line in laws.values())


def test_sound_opponent_passes_and_so_does_a_definition_with_its_statistics_fixed():
    check_alignment(sound_opponent(), max_examples=5)
    check_alignment(MMD(), gradient=_mean_bandwidth_fixed, max_examples=10)
    with pytest.raises(LawViolation, match="by its definition"):
        check_alignment(MMD(estimator="unbiased"), gradient=_mean_bandwidth_fixed, max_examples=10)


def _mean_bandwidth_fixed(x, y, kept_x, kept_y):
    """The biased discrepancy of five Gaussians, from its definition."""
    rows = torch.cat((kept_x, kept_y))
    squares = (rows[:, None] - rows).square().sum(-1)
    width = squares.sum() / (len(rows) * (len(rows) - 1))

    def kernel(a, b):
        distances = (a[:, None] - b).square().sum(-1)
        return sum(torch.exp(-distances / (2.0**i * width)).mean() for i in range(-2, 3))

    return kernel(x, x) + kernel(y, y) - 2 * kernel(x, y)


def test_features_logits_and_labels_are_drawn_apart():
    seen = []

    def forgets(self, source, target, labels, logits):
        if not torch._C._functorch.is_batchedtensor(labels):
            seen.append((target, labels, logits))
        return (source.mean(0) - target.mean(0)).square().sum()

    with pytest.raises(LawViolation, match="outputs count") as caught:
        check_alignment(type("Forgets", (LabelledPair,), {"_value": forgets, "__doc__": "A loss."}), max_examples=10)
    assert set(caught.value.example) == {"source", "target", "source_beside", "target_beside"}
    assert all(logits.shape == (len(target), 3) for target, _, logits in seen)
    assert {int(label) for _, labels, _ in seen for label in labels} == {0, 1, 2}


def test_setting_that_counts_only_beside_another_is_found_to_count():
    from dareps.testing._null import setting_probes
    from dareps.testing._settings import changes_something, setting_names
    from dareps.testing._subject import DOMAIN, subject_of

    subject = subject_of(MMD(), dict.fromkeys((*CLAIMS, "settings")), DOMAIN, None)
    assert setting_names(subject) == ("estimator", "kernel", "bandwidth", "memory")
    assert changes_something(subject, "memory", setting_probes(subject.space))


def test_largest_magnitude_may_be_declared_and_passed():
    with pytest.raises(LawViolation, match="large inputs"):
        check_alignment(correct_sixth_power, max_examples=10, largest=1e9)
    check_alignment(correct_sixth_power, max_examples=5, largest=1e3)


def correct_sixth_power(x, y):
    return ((x**3).mean(0) - (y**3).mean(0)).square().sum()


def test_parametrize_takes_losses_and_names_them():
    mark = parametrize_alignments(MMD(), correct, argument="f")
    assert mark.args == ("f", (MMD(), correct))
    assert [mark.kwargs["ids"](loss) for loss in mark.args[1]] == ["mmd", "correct"]
    assert len(parametrize_alignments().args[1]) >= 5
    assert CORAL() in parametrize_alignments().args[1]
