"""The joint many-task model against its definition, its limits, and the turns of its regularisation."""

import pytest
import torch

from dareps.encoders.digit_cnn import DigitCNN
from dareps.encoders.mlp import MLP
from dareps.engine.execute import Surroundings, execute
from dareps.engine.loop import Stopped, Trainer
from dareps.errors import ConfigError
from dareps.maths.domains import NormFactory
from dareps.sharing import Blueprint
from dareps.sharing._modules import Group, Seen
from dareps.sharing.joint_many_tasks import JointManyTasks
from tests.engine._make import CPU, distance, weights_of
from tests.engine._tasks import dataset, register, run_on, split_of
from tests.sharing._make import DOMAINS, HEADS, SHAPE, TASKS, blueprint, built, called, rows, tasks_of

THREE = ("low", "middle", "high")
ONE = [(3, "books", TASKS)]
FREE = {"delta": 0.0, "delta_heads": 0.0}
DEAF = {"labels": 0, "shortcut": False, **FREE}
ORDER = {"age": "layer1", "kind": "layer2", "tags": "layer3"}
ENCODER = {"name": "mlp", "width": 6, "depth": 3, "norm": True}
STEPS = {"steps": 12, "optimizer": {"name": "sgd", "lr": 0.1}}


def built_for(encoder, shape, names=TASKS, **settings):
    """The module for some tasks in float64, without anything kept."""
    factory = NormFactory("joint", len(DOMAINS))
    parts = Blueprint(lambda: encoder.build(shape, factory), shape, tasks_of(names), DOMAINS)
    with torch.random.fork_rng(devices=[]):
        return JointManyTasks(**{**settings, **FREE}).build(parts).double()


def moved(module):
    """The module with everything that starts at 0 away from it."""
    with torch.no_grad():
        for number, bridge in enumerate(module.bridges.parameters()):
            bridge.add_(torch.linspace(-1, 1, bridge.numel(), dtype=bridge.dtype).view_as(bridge) + number)
    return module


def test_a_task_adds_what_it_hears_to_the_features_it_builds_on():
    module, x = moved(built(JointManyTasks(labels=5))), rows(3)
    found, _ = called(module, ONE, x)
    taps = module.encoder.taps(x)
    torch.testing.assert_close(found[0]["kind"].task, taps["layer1"])
    said = HEADS["kind"](taps["layer1"]).softmax(1)
    embedded = sum(said[:, [c]] * module.labels[0].weight[:, c] for c in range(3))
    (bridge,) = module.bridges
    heard = embedded @ bridge.labels.weight.T + bridge.labels.bias + x @ bridge.sight[1].weight.T
    torch.testing.assert_close(found[0]["colour"].task, module.encoder.chain["layer2"](taps["layer1"] + heard))


def test_what_tasks_say_depends_on_their_kind():
    x = torch.tensor([[1.0, -2.0]])
    module = Trainer([run_of()], [split_of(run_of())], CPU).population.method.encoder
    assert [type(kind).__name__ for kind in module.kinds] == ["Regression", "Classification", "Multilabel"]
    for kind, wanted in zip(module.kinds, (x, x.softmax(1), x.sigmoid()), strict=True):
        assert torch.equal(kind.belief(x), wanted)


def test_a_task_hears_all_tasks_below_it_and_higher_tasks_teach_lower_heads():
    trainer = Trainer([run_of()], [split_of(run_of())], CPU)
    method = trainer.population.method
    moved(method.encoder)
    assert [bridge.labels.in_features for bridge in method.encoder.bridges] == [16, 32]
    (found,) = method.represent(torch.ones(4, 5), [Group(4, "a", ("tags",))])
    assert set(found) == {"tags"}
    found["tags"].task.sum().backward()
    taught = {name.split(".")[0] for name, own in method.heads.named_parameters() if own.grad is not None}
    assert taught == {"age", "kind"}


def test_images_are_heard_at_all_places_and_seen_at_their_own():
    module = moved(built_for(DigitCNN(channels=(4, 6), width=5, padding=2), (2, 8, 8), THREE, labels=3))
    low, high = module.bridges
    h, x = torch.zeros(1, 4, 4, 4).double(), torch.randn(1, 2, 8, 8).double()
    added = low(h, x, [torch.ones(1, 3).double()])
    seen = torch.einsum("nchw,dc->ndhw", torch.nn.functional.avg_pool2d(x, 2), low.sight.channels.weight)
    heard = low.labels(torch.ones(1, 3).double())[:, :, None, None]
    torch.testing.assert_close(added, seen + heard)
    assert high.sight.channels.weight.shape == (6, 2)


@pytest.mark.parametrize(
    ("names", "depth", "levels"),
    [
        (TASKS, 2, [1, 2]),
        (TASKS, 4, [2, 4]),
        (THREE, 2, [1, 2, 2]),
        (THREE, 3, [1, 2, 3]),
        (TASKS, 1, [1, 1]),
    ],
)
def test_tasks_are_spread_over_the_stages_in_order(names, depth, levels):
    module = built_for(MLP(width=4, depth=depth), SHAPE, names)
    assert module.levels == levels
    assert module.order == list(range(len(names)))


def test_stages_order_the_tasks_and_tasks_of_one_stage_come_as_the_data_has_them():
    module = built_for(MLP(width=4, depth=2), SHAPE, THREE, reads={"high": "layer1"})
    assert [THREE[number] for number in module.order] == ["high", "low", "middle"]
    assert module.stages(2) == ()
    assert {id(part) for part in module.own("middle")} == {id(module.bridges[1]), id(module.labels[1])}
    assert module.own("high") == module.own("low") == ()


def run_of(sharing=None, seed=0, phase=None, **changes):
    """A run of three tasks on three stages."""
    method = {"encoder": ENCODER, "sharing": {"name": "joint_many_tasks", "reads": ORDER, **(sharing or {})}}
    return run_on(dataset(), {**method, "phases": [{**STEPS, **(phase or {})}]}, seed=seed, **changes)


def trained(run, stacked=None, also=()):
    """A trainer of the run that has trained."""
    runs = [run, *also]
    trainer = Trainer(runs, [split_of(own) for own in runs], CPU, stacked=stacked)
    trainer.train()
    return trainer


WIDE = {"engine": {"precision": "float64"}}


@pytest.mark.parametrize("optimizer", ["adam", {"name": "sgd", "lr": 0.1, "weight_decay": 0.01}])
@pytest.mark.parametrize("sampling", ["joint", "round_robin"])
def test_hearing_nothing_trains_as_hierarchical(optimizer, sampling):
    phase = {"optimizer": optimizer, "sampling": sampling}
    one = trained(run_of(DEAF, phase=phase, **WIDE))
    hierarchical = {"name": "hierarchical", "along": "tasks", "reads": ORDER}
    plain = {"encoder": ENCODER, "sharing": hierarchical, "phases": [{**STEPS, **phase}]}
    other = trained(run_on(dataset(), plain, **WIDE))
    assert distance(weights_of(one), weights_of(other)) == 0


def test_label_embeddings_of_0_are_heard_as_nothing():
    module, x = moved(built(JointManyTasks(shortcut=False))), rows(3)
    with torch.no_grad():
        module.labels[0].weight.zero_()
        module.bridges[0].labels.bias.zero_()
    found, _ = called(module, ONE, x)
    assert torch.equal(found[0]["colour"].task, module.encoder(x))


def test_weights_are_pulled_to_where_the_last_turn_left_them():
    module = built(JointManyTasks(every=2, delta_heads=0.0, labels=2))
    low = module.encoder.chain["layer1"][0].weight
    start, seen = low.detach().clone(), rows(3)

    def penalty(tasks):
        return called(module, [(3, "books", tasks)], seen)[1]["successive"].item()

    for step in range(1, 6):
        with torch.no_grad():
            low.add_(1.0)
            module.encoder.chain["layer2"][0].weight.add_(7.0)
            before = low.detach() - 1 if step % 2 else low.detach() - 2
            assert penalty(TASKS) == penalty(("colour",)) == pytest.approx((low - before).square().sum().item())
            assert penalty(("kind",)) == 0, "nothing lies below the lowest task"
            module.after_step(HEADS)
    torch.testing.assert_close(module.kept["successive"][0].get_buffer("0"), start + 4)


def test_every_task_of_a_step_holds_what_lies_below_it():
    method = Trainer([run_of()], [split_of(run_of())], CPU).population.method
    encoder, groups = method.encoder, [Group(4, "a", ("age", "kind", "tags"))]
    x = torch.ones(4, 5)
    with torch.no_grad():
        encoder.encoder.chain["layer1"][0].weight.add_(1.0)
        encoder.encoder.chain["layer2"][0].weight.add_(1.0)
        method.heads["kind"].bias.add_(2.0)
        found = encoder.penalties(Seen(x, groups, [], method.heads))
    assert found["successive"].item() == pytest.approx(2 * 5 * 6 + 6 * 6)
    assert found["successive_heads"].item() == pytest.approx(3 * 4)


def test_the_pull_acts_on_lower_tasks_in_steps_of_higher_ones():
    strong = {"delta": 4.0, "delta_heads": 4.0, "every": 100}
    start = weights_of(Trainer([run_of()], [split_of(run_of())], CPU))
    names = ["encoder.encoder.chain.layer1.0.weight", "heads.age.weight"]
    gaps = []
    for sharing in (strong, FREE):
        own = weights_of(trained(run_of({**sharing, "labels": 4}, phase={"sampling": "round_robin", "steps": 30})))
        gaps.append([float((own[name] - start[name]).norm()) for name in names])
    assert all(held < loose for held, loose in zip(*gaps, strict=True))


def test_stacked_seeds_train_as_if_alone():
    settings = {"every": 5, "delta": 0.1, "delta_heads": 0.1}
    alone = trained(run_of(settings, seed=7, **WIDE))
    together = trained(run_of(settings, **WIDE), also=[run_of(settings, seed=7, **WIDE)])
    own = weights_of(alone)
    assert distance(weights_of(together, 1), own) < 1e-9
    kept = own["encoder.kept.successive.0.0"]
    now = own["encoder.encoder.chain.layer1.0.weight"]
    assert (kept - now).norm() > 0, "the last turn ended two steps ago"


def test_a_stopped_run_continues_exactly(tmp_path, monkeypatch):
    register(monkeypatch, type(dataset()))
    engine = {"checkpoint_seconds": 0.0, "flush": 4, "evaluations": 1}
    run = run_of({"every": 5, "delta": 0.5}, phase={"sampling": "proportional"}, engine=engine)
    (whole,) = execute([run], Surroundings(tmp_path / "whole", CPU, strict=True))
    calls = iter(range(100))
    with pytest.raises(Stopped):
        execute([run], Surroundings(tmp_path / "parts", CPU, stop=lambda: next(calls) >= 1))
    (resumed,) = execute([run], Surroundings(tmp_path / "parts", CPU, strict=True))
    assert resumed.curves == whole.curves
    assert {"sharing.successive", "sharing.successive_heads"} <= set(whole.curves)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"along": "domains"}, r"sharing.along: .*domains predict nothing, got 'domains'. .*sharing: hierarchical"),
        ({"reads": {"shape": "layer1"}}, r"sharing.reads: there is no such task, got 'shape'"),
        ({"reads": {"kind": "layer7"}}, r"sharing.reads: the encoder has no such stage, got 'layer7'"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        JointManyTasks(**settings).build(blueprint())


def test_a_single_task_is_refused():
    message = r"joint_many_tasks: there is one branch only along tasks, got \('only',\). Use sharing: hard"
    with pytest.raises(ConfigError, match=message):
        JointManyTasks().build(blueprint(tasks=("only",)))


def test_inputs_that_cannot_be_brought_to_a_stage_are_refused():
    encoder = DigitCNN(channels=(4, 6), width=5, padding=2)
    module = built_for(encoder, (2, 8, 8))
    from dareps.sharing._joint_many_tasks import _sight

    with pytest.raises(
        ConfigError, match=r"inputs of shape \(7,\) cannot be brought to stage conv1, which gives \(4, 4"
    ):
        _sight("conv1", module.encoder.shapes["conv1"], (7,), True)
    assert _sight("conv1", module.encoder.shapes["conv1"], (7,), False) is None
