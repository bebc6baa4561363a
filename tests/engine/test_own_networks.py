"""Networks of one's own through the loop: resumed, stacked, frozen in part, drawn anew, saved and loaded."""

import warnings

import pytest
import torch

import dareps
from dareps.engine import checkpoint
from dareps.engine.building import build_method
from dareps.engine.capture import maybe_capture
from dareps.engine.execute import Surroundings, execute
from dareps.engine.hosts import hosts_of
from dareps.engine.loop import Stopped
from dareps.errors import CheckpointError, ConfigError
from tests.engine._make import CPU, FLOAT64, data_of, distance, outcome_of, run_of, trainer_of, weights_of

STAGES = ["conv1", "conv2", "fc"]
NETS = {
    "Digits": {"stages": STAGES},
    "Normed": {"stages": ["body.0", "fc1", "fc2"]},
    "Deciding": {},
    "Noisy": {},
}
SHORT = (
    ("phases.*.steps", 20),
    ("phases.*.batch", 16),
    ("engine.evaluations", 2),
    ("engine.flush", 5),
    ("engine.selection", ["last"]),
    ("engine.keep", "last"),
    ("engine.checkpoint_seconds", 0.0),
)


def own_run(net, *more, recipe="dann", seed=0):
    encoder = {"name": "module", "import": f"tests.encoders._nets:{net}", **NETS[net]}
    return run_of(recipe, [("encoder", encoder), *SHORT, *more], seed)


def model_of(outcome, folder):
    return checkpoint.load(folder / outcome.folder / "model.safetensors")[0]


@pytest.mark.parametrize("net", NETS)
def test_a_stopped_run_continues_exactly(net, tmp_path):
    run = own_run(net)
    whole = outcome_of(run, tmp_path / "whole")
    calls = iter(range(100))
    with pytest.raises(Stopped):
        execute([run], Surroundings(tmp_path / "parts", CPU, stop=lambda: next(calls) >= 1))
    rest = outcome_of(run, tmp_path / "parts")
    assert whole.status == rest.status == "ok"
    assert whole.curves == rest.curves
    ours, theirs = model_of(whole, tmp_path / "whole"), model_of(rest, tmp_path / "parts")
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize("net", ["Digits", "Normed"])
def test_stacked_is_separate(net):
    runs = [own_run(net, *FLOAT64, ("normalise", "per_domain"), seed=seed) for seed in (0, 1)]
    together = trainer_of(runs)
    first = weights_of(together)
    together.train()
    assert distance(first, weights_of(together)) > 1e-3
    for copy, run in enumerate(runs):
        alone = trainer_of([run])
        alone.train()
        assert distance(weights_of(alone), weights_of(together, copy)) < 1e-9


@pytest.mark.parametrize(("net", "why"), [("Deciding", "cannot run without values"), ("Noisy", "noise of its own")])
def test_what_cannot_be_stacked_says_so_once_and_trains_seed_by_seed(net, why, tmp_path):
    runs = [own_run(net, seed=seed) for seed in (0, 1)]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = execute(runs, Surroundings(tmp_path / "stack", CPU))
    told = [str(own.message) for own in caught if "engine.stack" in str(own.message)]
    assert len(told) == 1
    assert why in told[0]
    assert "one by one" in told[0]
    assert [own.identity.seed for own in found] == [0, 1]
    assert not list((tmp_path / "stack").glob("checkpoints/*"))
    for run, own in zip(runs, found, strict=True):
        alone = outcome_of(run, tmp_path / "alone")
        assert own.status == "ok"
        assert own.selected == alone.selected
        assert own.curves == alone.curves


def test_what_needs_the_host_is_not_captured():
    method = build_method(own_run("Noisy"), data_of(own_run("Noisy")))
    host = hosts_of(method, "")
    assert host == ["the encoder's network (it draws noise of its own)"]
    with pytest.warns(UserWarning, match=r"not captured: the encoder's network .* work on the host"):
        assert maybe_capture(len, "auto", torch.device("cuda"), host) is len
    with pytest.raises(ConfigError, match="cannot be captured: the encoder's network"):
        maybe_capture(len, "on", torch.device("cuda"), host)
    assert hosts_of(build_method(own_run("Digits"), data_of(own_run("Digits"))), "") == []


def moved(run):
    """The stages whose weights move in a run, from the first step to the last."""
    trainer = trainer_of([run])
    before = weights_of(trainer)
    trainer.train()
    after = weights_of(trainer)
    names = [name for name in before if ".chain." in name and not torch.equal(before[name], after[name])]
    return {name.split(".chain.")[1].partition(".")[0] for name in names}


def test_stages_freeze_by_name():
    assert moved(own_run("Digits")) == set(STAGES)
    assert moved(own_run("Digits", ("phases.0.freeze_below", "fc"))) == {"fc"}
    assert moved(own_run("Digits", ("phases.0.freeze", ["encoder.conv2"]))) == {"conv1", "fc"}
    assert moved(own_run("Normed", ("phases.0.freeze_below", "fc2"))) == {"fc2"}
    with pytest.raises(ConfigError, match="Did you mean 'conv2'"):
        trainer_of([own_run("Digits", ("phases.0.freeze_below", "conv3"))])


def test_parameters_that_want_no_gradient_keep_still():
    run = own_run("Normed", ("encoder.arguments", {"frozen": True}))
    trainer = trainer_of([run])
    before = weights_of(trainer)
    trainer.train()
    still = {name for name, own in weights_of(trainer).items() if torch.equal(own, before[name])}
    place = "encoder.encoder.chain.body_0.net.body.0"
    assert {f"{place}.weight", f"{place}.bias"} <= still
    assert "encoder.encoder.chain.fc1.net.fc1.weight" not in still


@pytest.mark.parametrize("part", ["encoder", "encoder.conv2"])
def test_a_phase_draws_parts_anew(part):
    phase = {"streams": {"source": "labelled"}, "steps": 0, "batch": 16, "optimizer": "adam", "schedule": "constant"}
    run = own_run("Digits", ("phases", [phase, {**phase, "reset": [part]}]), recipe="source_only")
    trainer = trainer_of([run])
    before = weights_of(trainer)
    trainer.train()
    after = weights_of(trainer)
    changed = {name.split(".chain.")[1].partition(".")[0] for name in before if (before[name] != after[name]).any()}
    assert changed == (set(STAGES) if part == "encoder" else {"conv2"})
    again = trainer_of([run])
    again.train()
    assert distance(after, weights_of(again)) == 0


def test_a_saved_model_loads_and_predicts(tmp_path, monkeypatch):
    run = own_run("Normed")
    outcome = outcome_of(run, tmp_path)
    monkeypatch.chdir("/")
    model = dareps.load(tmp_path / outcome.folder)
    rows = data_of(run).target_test[0].x
    assert (model.predict(rows) == model_of(outcome, tmp_path)["predicted"].numpy()).all()


def test_a_network_that_has_changed_since_is_told_from_the_saved_one(tmp_path):
    file = tmp_path / "changing_net.py"
    text = "import torch\ndef net():\n    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 5))\n"
    file.write_text(text, encoding="utf-8")
    encoder = {"name": "module", "import": f"{file}:net"}
    outcome = outcome_of(run_of("source_only", [("encoder", encoder), *SHORT]), tmp_path)
    assert dareps.load(tmp_path / outcome.folder)
    file.write_text(text.replace("5", "6"), encoding="utf-8")
    with pytest.raises(CheckpointError, match="do not fit the network that the run names"):
        dareps.load(tmp_path / outcome.folder)
