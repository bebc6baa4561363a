"""How networks of one's own are named: where they are found, what a run's key says of them, and every mistake."""

import json
import sys

import pytest

from dareps.commands.catalogue import showing
from dareps.encoders import Encoder
from dareps.errors import ConfigError
from dareps.maths.domains import NormFactory
from dareps.recipe.bind import bind_run, dump_run, rebind, run_key
from dareps.recipe.overrides import parse_override
from tests.engine._make import SPLIT

NETS = "tests.encoders._nets"
JOINT = NormFactory("joint", 1)
SHAPE = (1, 8, 8)
FAULTS = [
    ("tests.encoders.nowhere:Digits", {}, (), r"no module 'tests.encoders.nowhere'"),
    ("nowhere_at_all.part:Digits", {}, (), r"no module 'nowhere_at_all.part'"),
    (f"{NETS}:Digit", {}, (), r"there is no 'Digit' in it.*Did you mean 'Digits'"),
    (f"{NETS}:Digits.part", {}, (), r"there is no 'part' in it"),
    (f"{NETS}:NUMBER", {}, (), r"no class and no function"),
    (f"{NETS}:random.choice", {}, (), r"Python's own library makes no networks"),
    ("no/such/file.py:Digits", {}, (), r"there is no such file, got.*relative to the working directory"),
    (f"{NETS}:faulty", {}, (), r"encoder.arguments: .*faulty fails \(ValueError: no network today, why\)"),
    (f"{NETS}:faulty", {"reason": 3}, (), r"no network today, 3"),
    (f"{NETS}:Digits", {"widht": 3}, (), r"encoder.arguments: .*unexpected keyword argument 'widht'"),
    (f"{NETS}:untrue", {}, (), r"gives no torch.nn.Module, got 'str'"),
    (f"{NETS}:KEPT", {}, (), r"a network already, which seeds would share"),
    (f"{NETS}:kept", {}, (), r"the same network twice, which seeds would share"),
    (f"{NETS}:ended", {}, (), r"fails on rows of shape \(1, 8, 8\) \(RuntimeError"),
    (f"{NETS}:Several", {}, (), r"no floating tensor with one row for each of 2, got 'tuple'"),
    (f"{NETS}:Always", {}, (), r"draws noise when it predicts"),
    (f"{NETS}:Adapted", {}, (), r"calls something else 'adapter'.*Rename"),
    (f"{NETS}:Tied", {}, (), r"one tensor has two names, network.a.weight and network.b.weight"),
    (f"{NETS}:Moving", {}, (), r"another tensor in the place of a buffer.*got 'mean'"),
    (f"{NETS}:Digits", {}, ("fcc",), r"encoder.stages: .*no such submodule, got 'fcc'. Did you mean 'fc'"),
    (f"{NETS}:Digits", {}, ("fc", "conv1"), r"it runs before fc, got 'conv1'"),
    (f"{NETS}:Digits", {}, ("fc", "fc"), r"two stages have one name.*Name each stage once"),
    (f"{NETS}:Twice", {}, ("a", "b"), r"this stage runs twice, got 'a'"),
    (f"{NETS}:Skipping", {}, ("a", "b"), r"needs more than what a gives \(net_a, x\), got 'b'.*one stage around"),
    (f"{NETS}:Deciding", {}, ("fc",), r"cannot be followed \(TraceError.*the whole network is one then"),
]


@pytest.mark.parametrize(("name", "arguments", "stages", "message"), FAULTS)
def test_mistakes_are_told_in_a_line(name, arguments, stages, message):
    encoder = Encoder.bind({"name": "module", "import": name, "arguments": arguments, "stages": stages})
    narrow = ("Several", "Always", "Adapted", "Tied", "Moving", "kept", "Twice", "Skipping")
    shape = (4,) if name.rpartition(":")[2] in narrow else SHAPE
    with pytest.raises(ConfigError, match=message) as caught:
        (encoder.build(shape, JOINT), encoder.build(shape, JOINT))
    assert "\n" not in str(caught.value)


def written(folder, text, name="own_net.py"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


FILE = """
import torch
from beside_own_net import WIDTH

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(64, WIDTH)

    def forward(self, x):
        return self.fc(x.flatten(1))
"""


def test_a_file_is_imported_with_what_lies_beside_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    written(tmp_path, "WIDTH = 9", "beside_own_net.py")
    written(tmp_path, FILE)
    encoder = Encoder.bind({"name": "module", "import": "own_net.py:Net"})
    monkeypatch.chdir("/")
    assert encoder.build(SHAPE, JOINT).features == 9
    written(tmp_path, FILE.replace("WIDTH)", "WIDTH + 1)"))
    assert encoder.build(SHAPE, JOINT).features == 10
    written(tmp_path, "import torch\nclass Net(torch.nn.Module:\n")
    with pytest.raises(ConfigError, match=r"cannot be imported \(SyntaxError"):
        encoder.build(SHAPE, JOINT)
    written(tmp_path, "raise SystemExit(3)")
    with pytest.raises(ConfigError, match=r"cannot be imported \(SystemExit: 3"):
        encoder.build(SHAPE, JOINT)


def bound(*changes, seed=0):
    return bind_run("source_only", SPLIT, seed, [("encoder.name", "module"), *map(parse_override, changes)])


def test_settings_are_called_import_everywhere(tmp_path):
    run = bound(f"encoder.import={NETS}:Digits", "encoder.arguments.width=16", "encoder.stages=[conv1, fc]")
    dumped = json.loads(json.dumps(dump_run(run)))
    own = {"import": f"{NETS}:Digits", "arguments": {"width": 16}, "stages": ["conv1", "fc"], "weights": "own"}
    assert dumped["method"]["encoder"] == {"name": "module", **own}
    assert rebind(dumped) == run
    text = "\n".join(showing("module", []))
    assert "import = (needed)" in text
    assert "import_" not in text
    for change, message in (
        ("encoder.import=Digits", r"encoder.import: write package.module:Name"),
        ("encoder.imports=a:b", r"unknown key, got 'imports'. Did you mean 'import'"),
        ("encoder.stages=[]", r"encoder.import: this key is missing"),
        (f"encoder={{name: module, import: '{NETS}:Digits', weights: mine}}", r"encoder.weights.*'own' or 'drawn'"),
    ):
        with pytest.raises(ConfigError, match=message):
            bound(change)


def test_the_key_covers_what_is_imported_and_how(tmp_path):
    first, second = (written(tmp_path, FILE, name) for name in ("first.py", "second.py"))
    keys = {
        run_key(bound(f"encoder.import={name}", *more), "rows")
        for name in (f"{NETS}:Digits", f"{NETS}:Normed", f"{first}:Net", f"{first}:Other")
        for more in ([], ["encoder.arguments={width: 3}"], ["encoder.stages=[fc]"], ["encoder.weights=drawn"])
    }
    assert len(keys) == 16
    assert run_key(bound(f"encoder.import={first}:Net"), "rows") == run_key(
        bound(f"encoder.import={second}:Net"), "rows"
    )
    before = run_key(bound(f"encoder.import={second}:Net"), "rows")
    written(tmp_path, FILE + "# changed", "second.py")
    assert run_key(bound(f"encoder.import={second}:Net"), "rows") != before
    with pytest.raises(ConfigError, match="no such file"):
        run_key(bound("encoder.import=nowhere.py:Net"), "rows")


def test_the_file_of_a_module_is_found_without_running_its_package(tmp_path, monkeypatch):
    package = tmp_path / "own_package"
    package.mkdir()
    written(package, "raise RuntimeError('not yet')", "__init__.py")
    written(package, FILE, "nets.py")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    run = bound("encoder.import=own_package.nets:Net")
    before = run_key(run, "rows")
    written(package, FILE + "# changed", "nets.py")
    assert run_key(run, "rows") != before
    with pytest.raises(ConfigError, match=r"cannot be imported \(RuntimeError: not yet"):
        run.method.encoder.build(SHAPE, JOINT)
