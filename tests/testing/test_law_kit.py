"""The law kit: every fault is named by its law, every shipped loss passes, and violations say what to do."""

import math
import pickle

import pytest
import torch

from dareps import plugin
from dareps.alignment import CMD, CORAL, MMD, Adversarial, Alignment, MinimumClassConfusion, TargetTerm
from dareps.errors import ContractError
from dareps.testing import Interval, LawViolation, alignment_laws, check_alignment, parametrize_alignments
from tests.testing._faults import CLAIMS, FAULTS, constant_offset, correct, paired_rows, wrong_degree


@pytest.fixture(autouse=True)
def _forget_losses_defined_here(monkeypatch):
    monkeypatch.setitem(plugin._registry, "alignment", dict(plugin._registry["alignment"]))


@parametrize_alignments()
def test_shipped_losses_keep_their_laws(loss):
    check_alignment(loss, max_examples=20)


@pytest.mark.parametrize(
    "loss",
    [
        MMD(estimator="unbiased"),
        MMD(bandwidth="median"),
        MMD(estimator="unbiased", bandwidth="median"),
        MMD(bandwidth=3e4),
        CMD(moments=3),
        CMD(moments=1),
        Adversarial(hidden=()),
        MinimumClassConfusion(temperature=1.0),
    ],
    ids=str,
)
def test_other_settings_keep_the_laws_they_claim(loss):
    check_alignment(loss, max_examples=10)


def test_linear_estimator_depends_on_row_order_as_documented():
    with pytest.raises(LawViolation) as caught:
        check_alignment(MMD(estimator="linear"), max_examples=20)
    assert caught.value.law == "row order"


def test_narrower_support_with_larger_values_is_judged_by_the_power_it_grows_with():
    check_alignment(CMD(low=-100, high=100), domain=Interval(-99, 99), max_examples=20)


@pytest.mark.parametrize(("law", "fault"), [(law, fault) for law, faults in FAULTS.items() for fault in faults])
def test_fault_is_named_by_its_law(law, fault):
    with pytest.raises(LawViolation) as caught:
        check_alignment(fault, max_examples=10, **CLAIMS.get(law, {}))
    assert caught.value.law == law


def test_every_law_has_a_fault_and_every_fault_a_law():
    assert set(FAULTS) == set(alignment_laws())


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


def test_laws_are_listed_with_a_line_each():
    laws = alignment_laws()
    assert len(laws) == 17
    assert all(line and "\n" not in line for line in laws.values())


def test_parametrize_takes_losses_and_names_them():
    mark = parametrize_alignments(MMD(), correct, argument="f")
    assert mark.args == ("f", (MMD(), correct))
    assert [mark.kwargs["ids"](loss) for loss in mark.args[1]] == ["mmd", "correct"]
    assert len(parametrize_alignments().args[1]) >= 5
    assert CORAL() in parametrize_alignments().args[1]
