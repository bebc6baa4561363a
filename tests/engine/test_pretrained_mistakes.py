"""Files of weights that are refused, and how."""

import pytest
import torch
from safetensors.torch import save_file

from dareps.errors import ConfigError
from tests.engine._make import SHORT, outcome_of, run_of
from tests.engine._weights import encoder_of, kept, method_of, recipe_of, started

START = "encoder.encoder.chain."


def test_a_strict_loading_lists_everything_and_changes_nothing(tmp_path):
    weights = encoder_of()
    del weights["conv1.0.weight"]
    weights["conv2.0.weight"] = torch.zeros(7, 4, 5, 5)
    weights |= {"conv3.0.weight": torch.zeros(2), "conv2.9.bias": torch.zeros(1), "fc.weight": torch.zeros(3)}
    path = kept(weights, tmp_path)
    with pytest.raises(ConfigError) as caught:
        started(path)
    for line in (
        f"missing: {START}conv1.0.weight 4x1x5x5",
        f"unfit: {START}conv2.0.weight from conv2.0.weight: shape 7x4x5x5 in the file, 6x4x5x5 here",
        "unexpected: conv3.0.weight 2",
        "unexpected: conv2.9.bias 1",
    ):
        assert line in str(caught.value)
    assert "fc.weight" not in str(caught.value)
    found = started(path, strict=False)
    assert found.origin.counts.endswith(f"{len(encoder_of()) - 2} loaded, 0 adapted, 6 re-initialised, 4 dropped.")
    names = " ".join(found.origin.lines())
    assert all(name in names for name in ("conv1.0.weight", "conv2.0.weight", "conv3.0.weight", "conv2.9.bias"))


def test_a_run_with_another_encoder_is_named(tmp_path):
    run = run_of("source_only", (*SHORT, ("phases.0.steps", 1)))
    folder = tmp_path / outcome_of(run, tmp_path).folder
    with pytest.raises(ConfigError, match=r"(?s)run's encoder is mlp, the recipe's digit_cnn.*missing.*unexpected"):
        started(folder)
    with pytest.raises(ConfigError, match="does not fit"):
        started(folder, strict=False)  # Nothing fits at all.


@pytest.mark.parametrize(
    ("part", "near"), [("encoder.conv9", "encoder.conv"), ("encodr", "encoder"), ("heads.kin", "heads.kind")]
)
def test_unknown_parts_are_refused_with_the_nearest_name(part, near, tmp_path):
    with pytest.raises(ConfigError, match=rf"no such part.*Did you mean '{near}"):
        started(kept(encoder_of(), tmp_path), parts=[part])


class Harmful:
    """Leaves a trace when it is unpickled."""

    def __init__(self, place):
        self.place = place

    def __reduce__(self):
        return open, (str(self.place), "w")


def test_code_in_a_file_is_refused_and_not_run(tmp_path):
    trace = tmp_path / "trace"
    path = kept({"conv1.0.weight": torch.zeros(1), "more": Harmful(trace)}, tmp_path)
    with pytest.raises(ConfigError, match="could run code"):
        started(path)
    assert not trace.exists()
    torch.load(path, weights_only=False)
    assert trace.exists()  # It would have done so.


def test_bad_files_are_refused(tmp_path):
    good = kept(encoder_of(), tmp_path).read_bytes()
    save_file({name: own.contiguous() for name, own in encoder_of().items()}, tmp_path / "good.safetensors")
    assert started(tmp_path / "good.safetensors").origin.of("loaded")
    shapes = (tmp_path / "good.safetensors").read_bytes()
    for name, content in {
        "cut.pt": good[: len(good) // 2],
        "cut.safetensors": shapes[:-10],
        "words.pt": b"these are words",
        "empty.pth": b"",
        "words.safetensors": b"these are words too",
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ConfigError, match="damaged"):
            started(tmp_path / name)
    for name, match in {"none.pt": "no such file", "none": "no such file"}.items():
        with pytest.raises(ConfigError, match=match):
            started(tmp_path / name)
    with pytest.raises(ConfigError, match="no tensors by name"):
        started(kept([torch.zeros(2)], tmp_path, "list.pt"))
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(ConfigError, match="not a kind of file"):
        started(tmp_path / "notes.txt")


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("strict", [True, False])
def test_weights_that_are_not_finite_are_refused(bad, strict, tmp_path):
    weights = encoder_of()
    weights["conv1.0.weight"] = weights["conv1.0.weight"].clone()
    weights["conv1.0.weight"].view(-1)[3] = bad
    with pytest.raises(ConfigError, match=r"conv1\.0\.weight holds NaN or infinity"):
        started(kept(weights, tmp_path), strict=strict)


def test_whole_numbers_are_no_weights_and_half_precision_is(tmp_path):
    weights = encoder_of()
    whole = {**weights, "conv1.0.weight": weights["conv1.0.weight"].to(torch.int8)}
    with pytest.raises(ConfigError, match="int8 in the file, float32 here"):
        started(kept(whole, tmp_path))
    half = {name: own.half() for name, own in weights.items()}
    state = started(kept(half, tmp_path)).state_dict()
    assert torch.equal(state[f"{START}conv1.0.weight"], half["conv1.0.weight"].float())


def test_both_ways_at_once_are_refused(tmp_path):
    path = str(kept(encoder_of(), tmp_path))
    both = recipe_of(encoder={"name": "torchvision", "weights": path}, pretrained={"file": path})
    with pytest.raises(ConfigError, match="both pretrained and"):
        method_of(both, (3, 32, 32))
