"""Every loss of the registry against every bad input: a refusal that names it, or a value that means something."""

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from dareps.alignment import Alignment
from dareps.alignment._settings import AlignmentSettings
from dareps.errors import ContractError
from dareps.plugin import plugins
from dareps.testing._gates import forbid_host_copies, forbid_host_sync
from dareps.types import ORDINARY, View
from tests.alignment._built import ONE, STEP, TWO_DOMAINS, filled
from tests.alignment._samples import normal

OTHERS = {
    "mmd unbiased": {"name": "mmd", "estimator": "unbiased"},
    "joint_mmd unbiased": {"name": "joint_mmd", "estimator": "unbiased"},
    "local_mmd unbiased": {"name": "local_mmd", "estimator": "unbiased"},
    "mmd linear": {"name": "mmd", "estimator": "linear", "bandwidth": 1.0},
    "mmd median": {"name": "mmd", "bandwidth": "median"},
    "mmd running": {"name": "mmd", "bandwidth": "running"},
    "mmd means": {"name": "mmd", "kernel": "linear"},
    "coral logarithms": {"name": "coral", "metric": "log_euclidean"},
    "joint_ot exact": {"name": "joint_ot", "solver": "exact"},
    "cdan entropy": {"name": "conditional_adversarial", "entropy": True},
    "afn hard": {"name": "afn", "variant": "hard"},
    "class_alignment unbiased": {"name": "class_alignment", "estimator": "unbiased", "confidence": 0.1},
}
SHIPPED = sorted(name for name, part in plugins(Alignment).items() if part.__module__.startswith("dareps.alignment"))
ALL = {name: Alignment.bind(settings) for name, settings in {**{name: name for name in SHIPPED}, **OTHERS}.items()}
# test_bad_input_of_methods.py has those that run the method.
LOSSES = {name: loss for name, loss in ALL.items() if not loss.forwards}
every_loss = pytest.mark.parametrize("loss", [LOSSES[name] for name in sorted(LOSSES)], ids=sorted(LOSSES))


@dataclass
class Inputs:
    """Features x, y, logits u, v of source and target, and the source's labels."""

    x: torch.Tensor
    y: torch.Tensor
    u: torch.Tensor
    v: torch.Tensor
    labels: torch.Tensor

    def views(self):
        return [View("d0", "source", self.x, self.u, self.labels), View("d1", "target", self.y, self.v)]

    def arguments(self, loss):
        """What the loss is called with on its own."""
        names = type(loss).__call__.__annotations__
        only = self.v if loss.reads == "logits" else self.y
        by_name = {"source": self.x, "target": self.y if "source" in names else only, "source_labels": self.labels}
        by_name |= {"source_logits": self.u, "target_logits": self.v}
        return [by_name[name] for name in names if name in by_name]


def good(n=6, m=5, dtype=torch.float64):
    rows = (normal(n, 3, 1), normal(m, 3, 2), normal(n, 4, 3), normal(m, 4, 4))
    return Inputs(*(part.to(dtype) for part in rows), torch.arange(n) % 4)


def alone(loss):
    """Whether it can be called without being built."""
    return type(loss).__call__ is not AlignmentSettings.__call__ and getattr(loss, "bandwidth", None) != "running"


def values(loss, inputs, module=None):
    """The value of every sub-step of the built loss."""
    module = filled(loss.build(TWO_DOMAINS)) if module is None else module
    subs = module.steps() or (ORDINARY,)
    return torch.stack([module(inputs.views(), ONE, replace(STEP, sub=sub)) for sub in subs])


BAD = {
    "empty source": ("x", lambda x: x[:0], "features of d0"),
    "one-dimensional": ("y", lambda y: y[0], r"features of d1 must be \(rows, features\), got \(3,\)"),
    "three-dimensional": ("x", lambda x: x[None], r"features of d0 must be \(rows, features\), got \(1, 6, 3\)"),
    "no features": ("x", lambda x: x[:, :0], r"features of d0 must be \(rows, features\), got \(6, 0\)"),
    "other width": ("y", lambda y: y[:, :2], r"differ in width, got \(\(6, 3\), \(5, 2\)\)"),
    "integers": ("x", lambda x: x.long(), "features of d0 is .*torch.int64 and must be floating point"),
    "booleans": ("y", lambda y: y > 0, "features of d1 is .*torch.bool and must be floating point"),
    "complex": ("x", lambda x: x.to(torch.complex128), "features of d0 is .*complex128 and must be floating point"),
    "eight bits": ("x", lambda x: x.to(torch.float8_e4m3fn), "features of d0 is .*float8.* and must be floating point"),
    "other dtype": ("y", lambda y: y.float(), "differ in dtype, got .torch.float64, torch.float32"),
    "other device": ("y", lambda y: y.to("meta"), "different devices"),
    "sparse": ("x", lambda x: x.to_sparse(), "features of d0 must be a dense tensor"),
    "array": ("y", lambda y: y.numpy(), "features of d1 must be a tensor, got <class 'numpy.ndarray'>"),
    "list": ("x", lambda x: x.tolist(), "features of d0 must be a tensor, got <class 'list'>"),
    "nothing": ("x", lambda x: None, "features of d0 must be a tensor"),
    "labels on another device": ("labels", lambda y: y.to("meta"), "different devices"),
    "floating labels": ("labels", lambda y: y.double(), "labels of d0 must be class numbers"),
    "boolean labels": ("labels", lambda y: y > 1, "labels of d0 must be class numbers"),
    "one-hot labels": ("labels", lambda y: torch.eye(4).long()[y], "labels of d0 must be class numbers"),
    "labels as a list": ("labels", lambda y: y.tolist(), "labels of d0 must be a tensor"),
    "too few labels": ("labels", lambda y: y[:2], r"labels of d0 and features differ in rows, got \(\(2,\), \(6, 3\)"),
    "other classes": ("v", lambda v: v[:, :3], r"differ in width, got \(\(6, 4\), \(5, 3\)\)"),
    "too few logits": ("v", lambda v: v[:2], "logits of d1 and features differ in rows"),
    "integer logits": ("v", lambda v: v.long(), "logits of d1 is torch.int64 and must be floating point"),
    "logits as an array": ("v", lambda v: np.asarray(v), "logits of d1 must be a tensor"),
    "logits of another dtype": ("v", lambda v: v.float(), "differ in dtype"),
}


def spoilt(what, inputs):
    field, change, _ = BAD[what]
    return replace(inputs, **{field: change(getattr(inputs, field))})


@every_loss
def test_a_built_loss_refuses_by_name_what_it_cannot_use(loss):
    for what, (field, _, match) in BAD.items():
        unread = field == "v" and loss.reads == "shared"
        may_be_empty = what == "empty source" and loss.build(TWO_DOMAINS).least == 0
        if not unread and not may_be_empty:
            with pytest.raises(ContractError, match=f"alignment {loss.name}: .*{match}") as caught:
                values(loss, spoilt(what, good()))
            assert caught.value.fix
        elif unread:
            assert values(loss, spoilt(what, good())).isfinite().all()


def test_a_domain_without_rows_is_left_out_where_the_loss_says_so():
    for name in ("adversarial", "conditional_adversarial", "cdan entropy", "domain_confusion"):
        inputs = good()
        empty = replace(inputs, x=inputs.x[:0], u=inputs.u[:0], labels=inputs.labels[:0])
        assert values(LOSSES[name], empty).isfinite().all()


NEEDS_A_PARTNER = {"x": "target", "y": "source", "v": "source_logits"}
RELATIVE = ("other width", "other dtype", "other device", "other classes", "logits of another dtype")


@pytest.mark.parametrize("name", [name for name, loss in LOSSES.items() if alone(loss)])
def test_a_loss_on_its_own_refuses_by_name_what_it_cannot_use(name):
    loss = LOSSES[name]
    names = type(loss).__call__.__annotations__
    for what, (field, _, _) in BAD.items():
        usual = good()
        given = spoilt(what, usual).arguments(loss)
        unread = all(a is b for a, b in zip(given, usual.arguments(loss), strict=True))
        fits_alone = what in RELATIVE and NEEDS_A_PARTNER[field] not in names
        if unread or fits_alone or (what == "too few logits" and len(given) == 1):
            assert loss(*given).shape == ()
            continue
        with pytest.raises(ContractError, match=f"alignment {loss.name}: .*(source|target|features)") as caught:
            loss(*given)
        assert caught.value.fix


@every_loss
def test_unbuilt_losses_say_that_they_have_to_be_built(loss):
    if not alone(loss):
        with pytest.raises(ContractError, match=r"build\(shapes\)"):
            loss(torch.ones(2, 3), torch.ones(2, 3))


@every_loss
@pytest.mark.parametrize("field", ["x", "y", "u", "v"])
def test_what_is_no_number_never_gives_one(loss, field):
    inputs = good()

    def with_entry(number):
        rows = getattr(inputs, field).clone()
        rows[-1, 1] = number
        return values(loss, replace(inputs, **{field: rows}))

    usual = values(loss, inputs)
    read = ((with_entry(9.0) - usual).abs() > 1e-12) | ((with_entry(-9.0) - usual).abs() > 1e-12)
    if loss.name == "afn":
        read |= field in "xy"  # The value of its stepwise variant is always the same.
    # A logit of minus infinity rules a class out.
    for bad in (math.nan, math.inf) if field in "uv" else (math.nan, math.inf, -math.inf):
        assert not with_entry(bad)[read].isfinite().any()


@every_loss
def test_one_row_a_side_and_one_against_many(loss):
    for inputs in (good(1, 1), good(1, 1000), good(1000, 1)):
        if loss.name == "coral" or getattr(loss, "estimator", "biased") != "biased":
            with pytest.raises(ContractError, match=rf"alignment {loss.name}: .* needs at least 2 row\(s\)"):
                values(loss, inputs)
        else:
            assert values(loss, inputs).isfinite().all()


@every_loss
def test_a_label_that_is_no_class_is_a_row_without_one(loss):
    for labels in (torch.arange(6) + 2, torch.arange(6) - 3):
        assert values(loss, replace(good(), labels=labels)).isfinite().all()


@every_loss
def test_how_rows_lie_in_memory_does_not_matter(loss):
    inputs = good()
    fields = {field: getattr(inputs, field) for field in ("x", "y", "u", "v")}
    usual = values(loss, inputs)
    turned = {field: rows.T.contiguous().T for field, rows in fields.items()}
    strided = {field: torch.stack((rows, rows), 2)[:, :, 1] for field, rows in fields.items()}
    for other in (turned, strided):
        torch.testing.assert_close(values(loss, replace(inputs, **other)), usual, rtol=1e-10, atol=1e-12)
    same = {field: rows[:1].expand(len(rows), -1) for field, rows in fields.items()}
    copied = {field: rows.clone() for field, rows in same.items()}
    expanded = values(loss, replace(inputs, **same))
    torch.testing.assert_close(expanded, values(loss, replace(inputs, **copied)), rtol=1e-10, atol=1e-12)


@every_loss
def test_rows_without_and_with_a_gradient_and_of_inference_mode(loss):
    inputs = good()
    leaves = {field: getattr(inputs, field).clone().requires_grad_() for field in ("x", "y", "u", "v")}
    usual = values(loss, inputs)
    torch.testing.assert_close(values(loss, replace(inputs, **leaves)), usual)
    module = filled(loss.build(TWO_DOMAINS))
    with torch.inference_mode():
        frozen = good()
        assert values(loss, frozen, loss.build(TWO_DOMAINS).double()).isfinite().all()
    # Where the weights meet the rows themselves and not a copy, torch cannot make a graph of them.
    if loss.name in ("classifier_discrepancy", "wasserstein_critic"):
        with pytest.raises(ContractError, match="inference mode"):
            values(loss, frozen, module)
    else:
        torch.testing.assert_close(values(loss, frozen, module), usual)


@every_loss
@pytest.mark.parametrize("size", [0.0, 1e-42, 1e-20, 1e4])
def test_tiny_large_and_constant_rows_in_single_precision(loss, size):
    inputs = good(dtype=torch.float32)
    module = loss.build(TWO_DOMAINS)
    scaled = replace(inputs, **{field: getattr(inputs, field) * size for field in ("x", "y", "u", "v")})
    if loss.name == "cmd" and size > 1:
        return  # It declares features of the unit interval.
    leaves = [part.requires_grad_() for part in (scaled.x, scaled.y, scaled.u, scaled.v)]
    found = values(loss, scaled, module).sum()
    slopes = torch.autograd.grad(found, leaves, allow_unused=True) if found.requires_grad else ()
    assert found.isfinite()
    assert all(slope.isfinite().all() for slope in slopes if slope is not None)


@every_loss
def test_half_precision_on_its_own_and_refused_by_single_precision_weights(loss):
    inputs = good(dtype=torch.float16)
    if alone(loss):
        found = loss(*inputs.arguments(loss))
        assert found.isfinite()
        assert found.dtype == torch.float16
    module = loss.build(TWO_DOMAINS)
    if any(True for _ in module.parameters()):
        with pytest.raises(ContractError, match=f"alignment {loss.name}: .*weights and the features differ in dtype"):
            values(loss, inputs, module)
    else:
        assert values(loss, inputs, module).isfinite().all()


@every_loss
def test_streams_that_the_module_was_not_built_for_are_refused(loss):
    module, inputs = filled(loss.build(TWO_DOMAINS)), good()
    source, target = inputs.views()
    with pytest.raises(ContractError, match=f"alignment {loss.name}: there is no target stream"):
        module([source], ONE, STEP)
    with pytest.raises(ContractError, match=f"alignment {loss.name}: there is no (source|target) stream"):
        module([], ONE, STEP)
    if any(True for _ in module.parameters()):
        with pytest.raises(ContractError, match="built for other target domains, got 'd7'"):
            module([source, replace(target, domain="d7")], ONE, STEP)
        wider = replace(inputs, x=normal(6, 7, 1), y=normal(5, 7, 2))
        with pytest.raises(ContractError, match=r"must be 3 wide, for which the module was built, got \(6, 7\)"):
            values(loss, wider, module)
    if loss.reads != "shared" and module.roles != ("target",):
        with pytest.raises(ContractError, match=r"has no (logits|labels)"):
            values(loss, replace(inputs, u=None, v=None), module)


@every_loss
def test_the_checks_neither_wait_nor_copy(loss):
    if loss.host:
        return
    module = filled(loss.build(TWO_DOMAINS))
    for _ in range(2):  # The second call finds what the first one checked.
        with forbid_host_sync(), forbid_host_copies():
            values(loss, good_on_device(), module)


def good_on_device():
    rows = [torch.ones(n, d, dtype=torch.float64) for n, d in ((6, 3), (5, 3), (6, 4), (5, 4))]
    return Inputs(*rows, torch.arange(6))


def test_what_was_checked_once_is_checked_again_after_a_change():
    module = filled(LOSSES["adversarial"].build(TWO_DOMAINS))
    values(LOSSES["adversarial"], good(), module)
    for what in ("array", "other dtype", "other device", "other width", "one-dimensional", "sparse"):
        with pytest.raises(ContractError):
            values(LOSSES["adversarial"], spoilt(what, good()), module)
        assert values(LOSSES["adversarial"], good(), module).isfinite().all()
