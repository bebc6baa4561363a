"""A network cut at named submodules into stages that give what its own `forward` gives."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from itertools import pairwise

from torch import Tensor, fx, nn

from dareps.encoders._imported import reason
from dareps.errors import ConfigError
from dareps.plugin import suggestion

WHERE = "encoder.stages"
_NET = "net."
_WHOLE = "Name other stages, or none: the whole network is one then."


class Cut(nn.Module):
    """The part of a network's `forward` that belongs to one stage, with the submodules it calls under their own paths.

    Args:
        net: The network.
        graph: What is computed.
    """

    def __init__(self, net: nn.Module, graph: fx.Graph) -> None:
        super().__init__()
        held = fx.GraphModule(net, graph)
        self.run = type(held).forward  # A plain function, which copies of a stage can share.
        self.not_in_files: tuple[str, ...] = getattr(net, "not_in_files", ())
        for name, child in held.named_children():
            self.add_module(name, child)
        for name, parameter in held.named_parameters(recurse=False):
            self.register_parameter(name, parameter)
        for name, buffer in held.named_buffers(recurse=False):
            self.register_buffer(name, buffer)

    def forward(self, x: Tensor) -> Tensor:
        """What the stage makes of what the one before it gives."""
        result: Tensor = self.run(self, x)
        return result


class _Inside(nn.Module):
    """Calls a network, so that arguments of its `forward` beyond the rows have their default values."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.net(x)
        return result


class _Outside(fx.Tracer):
    """Follows the code around the stages, and none inside a submodule that holds no stage."""

    def __init__(self, stages: Sequence[str]) -> None:
        super().__init__()
        parts = [f"{_NET}{stage}".split(".") for stage in stages]
        self.above = {".".join(own[:depth]) for own in parts for depth in range(len(own))}

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return module_qualified_name not in self.above


def stage_names(stages: Sequence[str]) -> dict[str, str]:
    """Path of a submodule -> name of the stage.

    Raises:
        ConfigError: No stage can have this name, or two would have one.
    """
    names = {path: path.replace(".", "_") for path in stages}
    for path, name in names.items():
        if hasattr(nn.ModuleDict(), name) or not name:
            raise ConfigError(WHERE, "no stage can have this name", path, "Rename the submodule.")
    if len(set(names.values())) < len(stages):
        raise ConfigError(WHERE, "two stages have one name", list(stages), "Name each stage once.")
    return names


def children_of(net: nn.Sequential) -> dict[str, nn.Module]:
    """The parts of a sequence; one without state that stands in it twice is there once for each place."""
    found: dict[str, nn.Module] = {}
    for name, part in net._modules.items():
        assert part is not None
        twin = any(part is own for own in found.values()) and not part.state_dict()
        found[name] = copy.deepcopy(part) if twin else part
    return found


def cut(net: nn.Module, stages: Sequence[str]) -> dict[str, nn.Module]:
    """Stage -> its part of the network.

    Raises:
        ConfigError: There is no such submodule, `forward` cannot be followed, or the stages are no chain.
    """
    names, known = stage_names(stages), [path for path, _ in net.named_modules() if path]
    for path in stages:
        if path not in known:
            raise ConfigError(WHERE, "the network has no such submodule", path, suggestion(path, known))
    graph = _traced(net, stages)
    levels = _levels(graph, stages)
    (last,) = (node.args[0] for node in graph.nodes if node.op == "output")
    if not isinstance(last, fx.Node):
        raise ConfigError(WHERE, "the network gives no single tensor", type(last).__name__, "Let it give one.")
    ends = [*_entries(levels, last, stages), last]
    graphs = {
        path: _between(entry, leave, [node for node, level in levels.items() if level == number])
        for number, (path, (entry, leave)) in enumerate(zip(stages, pairwise(ends), strict=True))
    }
    return _apart({names[path]: Cut(net, own) for path, own in graphs.items()})


def _traced(net: nn.Module, stages: Sequence[str]) -> fx.Graph:
    try:
        return _Outside(stages).trace(_Inside(net))
    except Exception as error:
        what = f"the code between the stages cannot be followed ({reason(error)})"
        fix = f"Let a submodule do what decides by values. {_WHOLE}"
        raise ConfigError(WHERE, what, list(stages), fix) from error


def _levels(graph: fx.Graph, stages: Sequence[str]) -> dict[fx.Node, int]:
    """The number of the stage that each step of the computation belongs to; -1 for the network's input."""
    order = {f"{_NET}{path}": number for number, path in enumerate(stages)}
    reached, levels = -1, dict[fx.Node, int]()
    for node in graph.nodes:
        if node.op in ("get_attr", "output"):
            continue
        number = order.get(str(node.target)) if node.op == "call_module" else None
        if number is not None and number != reached + 1:
            what = "this stage runs twice" if number <= reached else f"it runs before {stages[reached + 1]}"
            raise ConfigError(WHERE, what, stages[number], f"Name stages that run once, in their order. {_WHOLE}")
        reached = reached if number is None else number
        levels[node] = -1 if node.op == "placeholder" else max(reached, 0)
    if reached + 1 < len(stages):
        raise ConfigError(WHERE, "the network does not call this submodule", stages[reached + 1], _WHOLE)
    return levels


def _entries(levels: Mapping[fx.Node, int], last: fx.Node, stages: Sequence[str]) -> list[fx.Node]:
    """What each stage reads: the one thing that the stage before it, or the network, is given.

    Raises:
        ConfigError: A stage reads something else besides.
    """
    found = []
    for number, stage in enumerate(stages):
        own = [node for node, level in levels.items() if level == number]
        read = dict.fromkeys(
            other for node in own for other in node.all_input_nodes if levels.get(other, number) < number
        )
        read |= dict.fromkeys([last] if number + 1 == len(stages) and levels.get(last, -1) < number else [])
        if len(read) != 1 or levels[next(iter(read))] != number - 1:
            before = stages[number - 1] if number else "the input"
            what = f"it needs more than what {before} gives ({', '.join(str(node) for node in read)})"
            fix = f"Name one stage around what is used again, or let a submodule compute it. {_WHOLE}"
            raise ConfigError(WHERE, what, stage, fix)
        found.append(next(iter(read)))
    return found


def _between(entry: fx.Node, leave: fx.Node, nodes: Sequence[fx.Node]) -> fx.Graph:
    """The computation from one tensor to another."""
    graph = fx.Graph()
    known = {entry: graph.placeholder("x")}

    def at(node: fx.Node) -> fx.Node:
        if node not in known:  # A parameter or buffer.
            known[node] = _copied(graph, node, known)
        return known[node]

    for node in nodes:
        for other in node.all_input_nodes:
            at(other)
        known[node] = _copied(graph, node, known)
    graph.output(known[leave])
    return graph


def _copied(graph: fx.Graph, node: fx.Node, known: Mapping[fx.Node, fx.Node]) -> fx.Node:
    new = graph.node_copy(node, known.__getitem__)
    if node.op in ("call_module", "get_attr"):
        new.target = str(node.target).removeprefix(_NET)
    return new


def _apart(parts: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
    """Parts that share no module: one without state is copied for each."""
    seen = set[int]()
    for part in parts.values():
        for path, module in list(part.named_modules()):
            if id(module) in seen and not module.state_dict() and path:
                above, _, name = path.rpartition(".")
                setattr(part.get_submodule(above), name, copy.deepcopy(module))
        seen |= {id(module) for module in part.modules()}
    return dict(parts)
