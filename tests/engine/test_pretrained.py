"""What a method takes from a file of weights, what it says about it, and what it refuses."""

import pytest
import torch

import dareps
from dareps.commands._records import read_record
from dareps.engine import checkpoint
from dareps.engine.execute import Surroundings, execute
from dareps.errors import ConfigError
from dareps.plugin import plugins
from dareps.recipe.bind import bind_run, dump_run, run_key
from dareps.sharing import SharingScheme
from dareps.suite.bench import summary_of
from dareps.suite.store import Store
from dareps.transfer import read_report
from tests.engine._make import CPU, NOISY, SHORT, outcome_of, run_of, trainer_of
from tests.engine._weights import SHAPE, encoder_of, kept, method_of, recipe_of, started

START = "encoder.encoder.chain."


def fates(method):
    """Name of the method's tensor -> what became of it."""
    return {entry.name: entry.fate for entry in method.origin.entries if entry.fate != "dropped"}


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("source")
    return folder / outcome_of(run_of("source_only", (*SHORT, *NOISY)), folder).folder


def test_a_run_on_another_split_starts_from_the_encoder_and_not_from_the_head(run_folder, tmp_path):
    overrides = [*SHORT, *NOISY, ("pretrained", {"file": str(run_folder)})]
    run = bind_run("source_only", "digits8/scans:fonts", 3, overrides)
    told = []
    [outcome] = execute([run], Surroundings(tmp_path, CPU, tell=told.append))
    trainer, fresh = trainer_of([run]), trainer_of([run_of("source_only", (*SHORT, *NOISY), seed=3)])
    source = checkpoint.below(checkpoint.load(run_folder / "model.safetensors")[0], "model")
    now, drawn = trainer.population.weights(0), fresh.population.weights(0)
    encoder = [name for name in now if name.startswith("encoder.")]
    assert len(encoder) == 5  # weight, and affine map and statistics of the normalisation
    assert all(torch.equal(now[name], source[name]) for name in encoder)
    assert not torch.equal(now["encoder.encoder.chain.layer1.0.weight"], drawn["encoder.encoder.chain.layer1.0.weight"])
    assert torch.equal(now["heads.digit.weight"], drawn["heads.digit.weight"])
    assert not torch.equal(now["heads.digit.weight"], source["heads.digit.weight"])
    report = read_report(outcome.pretrained)
    assert told == [report]
    assert {entry.name for entry in report.of("loaded")} == set(encoder)
    assert {entry.name for entry in report.of("reinitialised")} == {"heads.digit.weight", "heads.digit.bias"}
    assert {"heads.digit.weight", "predicted"} <= {entry.name for entry in report.of("dropped")}


def test_the_report_is_kept_with_the_results_the_summary_and_the_model(run_folder, tmp_path):
    outcome = outcome_of(run_of("source_only", (*SHORT, *NOISY, ("pretrained", {"file": str(run_folder)}))), tmp_path)
    store = Store(tmp_path)
    store.save(outcome)
    [saved] = store.outcomes()
    assert saved.pretrained == outcome.pretrained == summary_of(outcome)["pretrained"]
    model = tmp_path / outcome.folder / "model.safetensors"
    assert read_record(model)["pretrained"] == outcome.pretrained
    assert "pretrained" not in summary_of(outcome_of(run_of("source_only"), tmp_path))


def test_the_saved_model_predicts_when_the_file_is_gone(tmp_path):
    weights = trainer_of([run_of("source_only")]).population.weights(0)
    path = kept(weights, tmp_path)
    outcome = outcome_of(run_of("source_only", (*SHORT, ("pretrained", {"file": str(path)}))), tmp_path)
    path.unlink()
    assert dareps.load(tmp_path / outcome.folder).predict(torch.zeros(2, 1, 8, 8).numpy()).shape == (2,)


def test_every_seed_of_a_stack_starts_from_the_file(run_folder):
    overrides = (*SHORT, *NOISY, ("pretrained", {"file": str(run_folder)}))
    trainer = trainer_of([run_of("source_only", overrides, seed) for seed in (0, 1)], stacked=True)
    one, other = (trainer.population.weights(copy) for copy in (0, 1))
    assert all(torch.equal(one[name], other[name]) for name in one if name.startswith("encoder."))
    assert not torch.equal(one["heads.digit.weight"], other["heads.digit.weight"])


def test_heads_are_taken_when_asked_for(run_folder):
    overrides = (*SHORT, *NOISY, ("pretrained", {"file": str(run_folder), "parts": ["heads"]}))
    method = trainer_of([run_of("source_only", overrides)]).population.method
    assert {name for name, fate in fates(method).items() if fate == "loaded"} == {
        "heads.digit.weight",
        "heads.digit.bias",
    }


@pytest.mark.parametrize("scheme", sorted(plugins(SharingScheme)))
def test_every_part_that_starts_as_hard_sharings_encoder_starts_from_the_file(scheme, tmp_path):
    weights = encoder_of()
    method = started(kept(weights, tmp_path), more={"sharing": scheme})
    state, loaded = method.state_dict(), {entry.name: entry.origin for entry in method.origin.of("loaded")}
    assert set(loaded.values()) == set(weights)
    assert all(torch.equal(state[name], weights[origin]) for name, origin in loaded.items())
    path_of = {name: name.rpartition(".") for name in state if name.startswith("encoder.")}
    like_hard = {name for name, (path, _, _) in path_of.items() if method.drawn_as(path).startswith(START)}
    assert set(loaded) == like_hard


def test_a_scheme_finds_its_own_weights_again(tmp_path):
    source = method_of(recipe_of(sharing="mmoe"), seed=4).state_dict()
    method = started(kept(source, tmp_path), more={"sharing": "mmoe"})
    assert all(torch.equal(own, source[name]) for name, own in method.state_dict().items() if "encoder" in name)
    assert set(fates(method).values()) == {"loaded", "reinitialised"}


def test_what_copies_the_networks_copies_the_loaded_weights(tmp_path):
    phases = [{"streams": {"source": "labelled", "target": "unlabelled"}}]
    more = {"align": ["self_training"], "phases": phases}
    method = started(kept(encoder_of(), tmp_path), more=more)
    weight = method.state_dict()[f"{START}conv1.0.weight"]
    assert any(own.shape == weight.shape and torch.equal(own, weight) for own in method.align[0].teacher.buffers())


@pytest.mark.parametrize("nest", [None, "state_dict", "model"])
@pytest.mark.parametrize("start", ["", "module.", "backbone.", "module.encoder.", "model.backbone."])
def test_wrappers_are_recognised_and_told(nest, start, tmp_path):
    weights = encoder_of()
    content = {f"{start}{name}": own for name, own in weights.items()}
    method = started(kept({nest: content, "epoch": 3} if nest else content, tmp_path))
    assert torch.equal(method.state_dict()[f"{START}conv1.0.weight"], weights["conv1.0.weight"])
    notes = " ".join(method.origin.notes)
    assert all(word in notes for word in filter(None, [nest, *start.split(".")]))
    assert ("epoch" in [entry.name for entry in method.origin.of("dropped")]) == bool(nest)


def test_names_are_replaced_where_that_is_asked_for(tmp_path):
    weights = encoder_of()
    content = {name.replace("conv1", "features.first"): own for name, own in weights.items()}
    path = kept(content, tmp_path)
    method = started(path, rename={"features.first": "conv1"})
    assert torch.equal(method.state_dict()[f"{START}conv1.0.weight"], weights["conv1.0.weight"])
    with pytest.raises(ConfigError, match=r"no name in the file begins so.*features"):
        started(path, rename={"feature": "conv1"})


def test_a_stage_alone_leaves_the_others_as_they_are_drawn(tmp_path):
    weights = encoder_of()
    method, drawn = started(kept(weights, tmp_path), parts=["encoder.conv1"]), method_of(recipe_of())
    now, before = method.state_dict(), drawn.state_dict()
    for name, own in now.items():
        wanted = weights[name.removeprefix(START)] if name.startswith(f"{START}conv1.") else before[name]
        assert torch.equal(own, wanted)


def test_statistics_of_one_domain_stand_in_for_those_of_every_domain(tmp_path):
    weights = encoder_of()
    torch_like = {}
    for name, own in weights.items():
        torch_like[name.removesuffix("_0")] = own[0] if own.shape[:1] == (1,) and own.dim() == 2 else own
    for source in (weights, torch_like):
        method = started(kept(source, tmp_path), more={"normalise": "domain_specific"})
        state = method.state_dict()
        for domain in (0, 1):
            assert torch.equal(state[f"{START}conv1.2.running_mean_{domain}"], weights["conv1.2.running_mean_0"])
            assert torch.equal(state[f"{START}conv1.2.weight"][domain], weights["conv1.2.weight"][0])
        assert fates(method)[f"{START}conv1.2.running_mean_1"] == "adapted"
        assert fates(method)[f"{START}conv1.0.weight"] == "loaded"


def test_another_number_of_channels_is_adapted_or_drawn_anew(tmp_path):
    path = kept(encoder_of(shape=(3, 16, 16)), tmp_path)
    name = f"{START}conv1.0.weight"
    assert fates(started(path))[name] == "adapted"
    drawn = started(path, channels="reinitialise")
    assert fates(drawn)[name] == "reinitialised"
    assert torch.equal(drawn.state_dict()[name], method_of(recipe_of()).state_dict()[name])


def test_adapters_begin_as_they_are_drawn(tmp_path):
    method = started(kept(encoder_of(), tmp_path), more={"adapters": {"rank": 2}})
    adapters = [entry for entry in method.origin.of("reinitialised") if ".adapter." in entry.name]
    assert len(adapters) == 6
    assert all("adapter" in entry.why for entry in adapters)


def test_input_stems_begin_as_they_are_drawn(tmp_path):
    weights = encoder_of()
    recipe = recipe_of(pretrained={"file": str(kept(weights, tmp_path))})
    method = method_of(recipe, (256,), forms={"books": SHAPE, "films": (3, 8)})
    stems = [entry for entry in method.origin.of("reinitialised") if ".stem." in entry.name]
    assert stems
    assert all("its domain" in entry.why for entry in stems)
    assert torch.equal(method.state_dict()[f"{START}conv1.0.weight"], weights["conv1.0.weight"])


def test_the_key_covers_what_is_in_the_file_and_not_where_it_lies(tmp_path):
    def key(path):
        return run_key(run_of("source_only", (*SHORT, ("pretrained", {"file": str(path)}))), "rows")

    one, other = kept({"a": torch.zeros(2)}, tmp_path), tmp_path / "other.pt"
    other.write_bytes(one.read_bytes())
    assert key(one) == key(other)
    changed = kept({"a": torch.ones(2)}, tmp_path, "changed.pt")
    other.write_bytes(changed.read_bytes())
    assert key(one) != key(other)


def test_what_is_left_open_goes_unsaid():
    assert "pretrained" not in dump_run(run_of("source_only"))["method"]
