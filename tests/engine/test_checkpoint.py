import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dareps.engine import checkpoint
from dareps.errors import CheckpointError, StoreError

DTYPES = st.sampled_from([np.float32, np.float64, np.int64, np.uint8, np.bool_])
TENSORS = st.dictionaries(
    st.text("abc/._", min_size=1, max_size=6),
    DTYPES.flatmap(lambda d: arrays.arrays(d, arrays.array_shapes(min_dims=0))),
    max_size=4,
)


@settings(deadline=None, max_examples=40, derandomize=True)
@given(TENSORS, st.dictionaries(st.text(max_size=5), st.floats(allow_nan=False) | st.text(max_size=5), max_size=3))
def test_what_is_saved_comes_back(tmp_path_factory, drawn, record):
    path = tmp_path_factory.mktemp("c") / "x.safetensors"
    tensors = {name: torch.from_numpy(np.array(value)) for name, value in drawn.items()}
    checkpoint.save(path, tensors, record)
    back, told = checkpoint.load(path)
    assert told == record
    assert back.keys() == tensors.keys()
    for name, value in tensors.items():
        assert back[name].dtype == value.dtype
        np.testing.assert_array_equal(back[name].numpy(), value.numpy())


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "x.safetensors"
    checkpoint.save(path, {"a": torch.arange(50.0)}, {"n": 1})
    return path


@pytest.mark.parametrize("position", [0, 30, -1, -150])
def test_every_flipped_byte_is_noticed(saved, position):
    content = bytearray(saved.read_bytes())
    content[position] ^= 0x10
    saved.write_bytes(bytes(content))
    with pytest.raises(CheckpointError):
        checkpoint.load(saved)


@pytest.mark.parametrize("length", [0, 5, 100, -1])
def test_a_truncated_file_is_noticed(saved, length):
    saved.write_bytes(saved.read_bytes()[:length])
    with pytest.raises(CheckpointError, match="damaged"):
        checkpoint.load(saved)


def test_a_foreign_file_is_refused(tmp_path):
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(2)}, tmp_path / "f.safetensors")
    with pytest.raises(CheckpointError, match="format"):
        checkpoint.load(tmp_path / "f.safetensors")


def test_an_unwritable_place_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        checkpoint.save(tmp_path / "file" / "x.safetensors", {}, {})


def test_a_failed_write_leaves_the_old_file(saved, monkeypatch):
    import os

    def broken(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(StoreError, match="No space"):
        checkpoint.save(saved, {"a": torch.zeros(3)}, {"n": 2})
    assert checkpoint.load(saved)[1] == {"n": 1}
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_tensors_that_share_memory_come_back_apart(tmp_path):
    whole = torch.arange(6.0)
    checkpoint.save(tmp_path / "x", {"a": whole, "b": whole, "part": whole[2:4], "none": torch.empty(0)}, {})
    back, _ = checkpoint.load(tmp_path / "x")
    assert torch.equal(back["a"], whole)
    assert torch.equal(back["b"], whole)
    assert torch.equal(back["part"], whole[2:4])
