"""What Hypothesis draws: arbitrary YAML, spoilt recipes, and overrides that are valid."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from dareps.alignment import Alignment
from dareps.data._base import Dataset
from dareps.plugin import families, plugins
from dareps.recipe.bind import RUN_KEYS, read_recipe, shipped
from dareps.recipe.settings import RECIPE_KEYS
from dareps.recipe.yaml_io import read
from dareps.types import lead_task

RECIPES = {name: read(path) for name, path in shipped("recipes").items()}
TWINS = ("domainnet", "office_home", "pacs", "visda2017", "vlcs")
"""Sets of photographs whose settings and defaults are those of office31."""
SPLITS = [
    f"{name}/{part.domains[0]}:{part.domains[1]}"
    for name, part in plugins(Dataset).items()
    if len(part.domains) > 1 and name not in TWINS
]
NAMES = sorted({name for root in families().values() for name in plugins(root)})
INNER = ("name", "weight", "schedule", "steps", "streams", "source", "target", "batch", "optimizer", "lr", "width")

words = st.sampled_from([*RECIPE_KEYS, *RUN_KEYS, *INNER, *NAMES, "labelled", "unlabelled", "*", "inductive"])
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    words,
    st.text(max_size=8),
    st.sampled_from(["~nobody/x.py", "1e3", "yes", ".nan", "a\x00b.py", "x" * 300 + ".py"]),
)
keys = st.one_of(words, st.text(max_size=5), st.integers(-2, 2), st.none(), st.booleans())
structures = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=4)),
    max_leaves=12,
)
mappings = st.dictionaries(st.one_of(st.sampled_from([*RECIPE_KEYS, *RUN_KEYS]), keys), structures, max_size=5)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every item inside a structure."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from places(item, (*path, key))


@st.composite
def spoilt_recipes(draw: st.DrawFn) -> dict[str, Any]:
    """A shipped recipe after a few changes: keys dropped, misspelt or added, values of any type."""
    recipe = copy.deepcopy(RECIPES[draw(st.sampled_from(sorted(RECIPES)))])
    for _ in range(draw(st.integers(1, 3))):
        known = list(places(recipe))
        if not known:
            break
        *head, last = draw(st.sampled_from(known))
        node: Any = recipe
        for key in head:
            node = node[key]
        change = draw(st.sampled_from(["drop", "replace", "misspell", "add"]))
        if change == "replace":
            node[last] = draw(structures)
        elif change == "drop":
            del node[last]
        elif change == "add" and isinstance(node, dict):
            node[draw(keys)] = draw(structures)
        elif isinstance(node, dict) and isinstance(last, str):
            node[misspelt(draw, last)] = node.pop(last)
    return recipe


def misspelt(draw: st.DrawFn, word: str) -> str:
    """A word with a letter dropped, doubled or changed."""
    place = draw(st.integers(0, max(len(word) - 1, 0)))
    middle = draw(st.sampled_from(["", word[place : place + 1] * 2, "x"]))
    return word[:place] + middle + word[place + 1 :]


positive = st.floats(1e-6, 1e6)
share = st.floats(0, 1)
schedules = st.one_of(
    st.sampled_from(["constant", "ramp", "annealing", "linear", "cosine", "warmup"]),
    st.builds(lambda gamma: {"name": "ramp", "gamma": gamma}, positive),
    st.builds(lambda start, end: {"name": "linear", "start": start, "end": end}, share, st.floats(0, 5)),
)
optimizers = st.one_of(
    st.builds(lambda lr, beta: {"name": "adam", "lr": lr, "beta1": beta}, positive, st.floats(0, 0.99)),
    st.builds(lambda lr, decay: {"name": "sgd", "lr": lr, "weight_decay": decay}, positive, positive),
)
anywhere = {
    "normalise": st.sampled_from(["joint", "per_domain", "adabn", "domain_specific", "frozen"]),
    "protocol": st.sampled_from(["inductive", "paper"]),
    "data.limit": st.one_of(st.none(), st.integers(1, 10**6)),
    "engine.precision": st.sampled_from(["float32", "float64", "bf16"]),
    "engine.evaluations": st.integers(1, 1000),
    "engine.checkpoint_seconds": st.floats(0, 1e9),
    "engine.capture": st.sampled_from(["auto", "on", "off"]),
    "engine.keep": st.sampled_from(["last", "dev", "oracle", "entropy"]),
}
trained = {
    "encoder": st.one_of(
        st.sampled_from(["linear", "mlp", "digit_cnn"]),
        st.builds(
            lambda width, depth, dropout: {"name": "mlp", "width": width, "depth": depth, "dropout": dropout},
            st.integers(1, 10**6),
            st.integers(1, 9),
            st.floats(0, 0.99),
        ),
    ),
    "phases.0.steps": st.integers(0, 10**9),
    "phases.*.batch": st.integers(2, 10**6),
    "phases.0.optimizer": optimizers,
    "phases.*.schedule": schedules,
    "phases.0.clip": st.one_of(st.none(), positive),
    "phases.0.trains": st.lists(st.text(max_size=6), min_size=1, max_size=3),
}
aligned = {"align.0.weight": st.floats(0, 1e6), "align.0.schedule": schedules, "align.*.pairs": st.just("pooled")}


@st.composite
def valid_overrides(draw: st.DrawFn, recipe: str) -> list[tuple[str, Any]]:
    """Overrides that fit a shipped recipe."""
    known = dict(anywhere)
    if recipe != "linear_svm":
        known |= trained
    if "align" in RECIPES[recipe]:
        known |= aligned
    chosen = draw(st.lists(st.sampled_from(sorted(known)), unique=True, max_size=5))
    return [(path, draw(known[path])) for path in chosen]


def lacks_classes(recipe: str, split: str) -> bool:
    """Whether a shipped recipe has an alignment that reads outputs as classes, and the split's data has no classes."""
    dataset = plugins(Dataset)[split.partition("/")[0]]
    parts = read_recipe(recipe).get("align", [])
    names = [part if isinstance(part, str) else part["name"] for part in parts]
    kind = lead_task(dataset.tasks).kind
    return any(own.reads != "shared" and kind not in own.kinds for own in map(plugins(Alignment).get, names) if own)
