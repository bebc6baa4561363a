"""Several tasks in one method: heads of their own width, penalties, and steps in which tasks are absent."""

import pytest
import torch

from dareps.maths.noise import Noise
from dareps.recipe.bind import bind_run
from dareps.recipe.method import Method
from dareps.sharing._modules import Group
from dareps.types import Batch, Labelled, Step, Task, Unlabelled
from tests.sharing.test_training import SETTINGS, SHIPPED, trained

KIND, COLOUR = Task("kind", "classification", 3), Task("colour", "classification", 2)
ENCODER = ("encoder", {"name": "mlp", "width": 6, "depth": 2, "norm": True})
ZERO = torch.zeros((), dtype=torch.int64)


def method_of(scheme, align=(), **settings):
    """A method for two tasks on two domains."""
    sharing = ("sharing", {"name": scheme, **SETTINGS.get(scheme, {}), **settings})
    run = bind_run("dann", "digits8/fonts:scans", overrides=[ENCODER, sharing, ("align", list(align))])
    return Method(run.method, (4,), [KIND, COLOUR], ("fonts",), ("scans",), 0)


def batch():
    """Labelled source rows and unlabelled target rows."""
    x = torch.randn(8, 4, generator=torch.Generator().manual_seed(0))
    y = {"kind": torch.tensor([0, 1, 2, 0, 1]), "colour": torch.tensor([0, 1, 0, 1, 0])}
    return Batch((Labelled("fonts", "source", x[:5], y), Unlabelled("scans", "target", x[5:])), x)


@pytest.mark.parametrize(
    ("scheme", "along"), [(name, along) for name in SHIPPED if name != "hard" for along in SHIPPED[name].directions]
)
def test_a_step_of_two_tasks_trains_everything_along_tasks_or_domains(scheme, along):
    method = method_of(scheme, ["mmd", "entropy_minimisation"], along=along)
    step = Step(torch.tensor(0.5), torch.tensor(0.5), Noise(ZERO, ZERO))
    total, values = method(batch(), step)
    total.backward()
    assert {"task.kind", "task.colour", "align.0.mmd"} <= set(values)
    assert not [name for name, own in method.named_parameters() if own.grad is None and "heads" in name]
    assert torch.isfinite(total)


def test_heads_are_as_wide_as_what_their_task_reads():
    method = method_of("hierarchical", reads={"colour": "input"})
    assert method.widths == {"kind": 6, "colour": 4}
    assert method.heads["colour"].in_features == 4
    assert method_of("asp_mtl").heads["kind"].in_features == 12
    assert method_of("asp_mtl").features == 6


def test_a_task_that_is_absent_does_not_move_its_branch():
    method = method_of("soft", coupling=0.0, along="tasks")
    optimizer = torch.optim.Adam(method.parameters(), weight_decay=0.1)
    x, both = torch.randn(6, 4), ("kind", "colour")
    for tasks in (both, ("kind",)):
        before = {name: value.clone() for name, value in method.state_dict().items() if "branches.1" in name}
        optimizer.zero_grad()
        (found,) = method.represent(x, [Group(6, "fonts", tasks)])
        sum(method.heads[task](own.task).square().sum() for task, own in found.items()).backward()
        optimizer.step()
        moved = [name for name, value in method.state_dict().items() if name in before and value.ne(before[name]).any()]
        assert bool(moved) == (tasks == both)


def test_a_domain_that_no_phase_reads_is_warned_of():
    with pytest.warns(UserWarning, match="sharing hierarchical: no phase reads the target, so what scans has"):
        trained("hierarchical", recipe="source_only")


@pytest.mark.parametrize("scheme", ["hard", "shared_private", "cross_stitch"])
def test_nothing_else_is_warned_of(scheme, recwarn):
    trained(scheme, recipe="dann")
    assert not [str(own.message) for own in recwarn if "sharing" in str(own.message)]
