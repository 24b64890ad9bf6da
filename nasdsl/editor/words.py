"""What the words of the language mean, in a line each: for hovering and completion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nasdsl.language.settings import Item, Option
from nasdsl.operations.operation import REQUIRED, Operation, Parameter

KEYWORDS: dict[str, str] = {
    "nas": "`nas 1`: the version of the language that the file is written in.",
    "space": '`space name "what it is"`: the name of the space.',
    "input": "`input image[3, 32, 32]`: what comes in, without the batch; in a graph, its inputs.",
    "output": "`output logits[10]`: what must come out; in a graph, its result.",
    "use": '`use "file.nas"`: bring another space in, and change parts of it.',
    "key": '`key "{n[1].0}…"`: the name that a benchmark gives to an architecture.',
    "let": "`let w = 16` names a value, `let w in {16, 32}` chooses one for the whole space.",
    "where": "`where k in {3, 5}`: values chosen (`in`) or named (`=`) in the declaration above.",
    "in": "`x in {3, 5, 7}`, `x in 16..64 step 8`: choose one of these; in a condition: is one of.",
    "pick": "`pick 2 of 0..3`: choose so many members, without order or repetition.",
    "some": "`some of 0..3`: choose any subset.",
    "of": "`pick k of set`, `some of set`; in an edit, `any inputs of Cell`.",
    "block": "`block Name(c) = …`: a template; every use decides afresh.",
    "choice": "`choice Name(c) = | a = … | b = …`: a template that decides between alternatives.",
    "recursion": "`choice M(c) recursion 4 = …`: how deep a choice may stand within itself.",
    "when": "`| skip = identity when stride == 1`: the alternative exists only then.",
    "cell": "`cell Name(c) { input … node … output … }`: one design that all its uses share.",
    "network": "`network = a >> b`, or `network { input … node … output … }`: the whole network.",
    "node": "`node n[j in 1..3] = …`: a node of the graph as an equation; the order is free.",
    "op": '`op Name(d): [T, _] -> [T, d] params … = python "module:Name"`: an operation of yours.',
    "params": "Learned parameters of the network as compiled, dead parts gone.",
    "macs": "Multiply-accumulates of one sample (1 MAC = 2 FLOPs), dead parts gone.",
    "python": '`python "package.module:Name"`: the code of a declared operation.',
    "if": "`if c then a else b` decides without choosing; in a comprehension, a filter.",
    "then": "The branch of an `if`; between two rules of an edit: one after the other.",
    "else": "The other branch of an `if`.",
    "or": "One of two conditions holds.",
    "and": "Both conditions hold.",
    "not": "The condition does not hold.",
    "step": "`16..64 step 8`; in an edit, `step width`: move an ordered value to the next one.",
    "for": "`sum(Op(c)(n[i]) for i in 0..j-1)`: one item for each member of a set.",
    "true": "The truth value.",
    "false": "The truth value.",
    "require": "`require params <= 5M`: what every architecture must meet, without training it.",
    "neighborhood": "`neighborhood { edit … }`: which architectures are near each other.",
    "radius": "`radius 2`: neighbors are up to so many edits away.",
    "edit": "`edit name: rule`: one way to change an architecture a little.",
    "any": "`any Op`: replace an alternative by any other; `any inputs of Cell`: pick another.",
    "by": "`step width by 2`: move so many values at once.",
    "insert": "`insert Layer`: add one at any place of a chain.",
    "remove": "`remove Layer`: take one out of a chain.",
    "flip": "`flip P of Cell`: add a member to a chosen subset, or drop one.",
    "at": "`at Normal, Reduction`: the edit happens in these places only.",
    "weight": "`weight 0.5`: how often the edit is drawn when neighbors are sampled.",
    "data": "`data digits(train=300)`: the data set.",
    "train": "`train { epochs 12, sgd(lr=0.1) }`: how a network is trained.",
    "objective": "`objective { maximize accuracy, minimize params }`: the goals of the search.",
    "best": "`best maximize accuracy`: which network of the Pareto front is the best.",
    "maximize": "More of this metric is better.",
    "minimize": "Less of this metric is better.",
    "search": "`search random { samples 24, seed 0 }`: how architectures are proposed.",
    "report": "`report { … }`: what is done with the best network in the end.",
}

BUILT_IN: dict[str, str] = {
    "maybe": "`maybe(e)`: a choice, `| without = identity | with = e`.",
    "optional": "`optional(e)`: a choice, `| off = zero | on = e`, for a branch.",
    "chain": "`chain(e for i in 1..n)`: copies one after another, each may use `i`.",
    "sum": "`sum(e for i in s)`: the sum of tensors, modules or numbers; of nothing it is zero.",
    "cin": "The number of channels that come in here.",
    "all": "`all(c for i in s)`: whether a condition holds for every member.",
    "any": "`any(c for i in s)`: whether a condition holds for some member.",
    "size": "`size(s)`: how many members a set has.",
    "count": "`count(skip)`: how often an alternative is taken.",
    "edges": "`edges(Cell)`: how many edges the graph of a cell has.",
    "nodes": "How many nodes the network has.",
    "depth": "Operations on the longest way through the network.",
    "declared_params": "Learned parameters as written, parts without effect counted.",
    "declared_macs": "Multiply-accumulates of one sample as written.",
    "activation_memory": "Bytes of the results alive at once, for one sample.",
    "checkpoint_bytes": "Bytes of the file of all weights and buffers.",
    "params": KEYWORDS["params"],
    "macs": KEYWORDS["macs"],
}


def operation_signature(operation: Operation) -> str:
    """``conv(channels, kernel, stride=1)``."""
    shown = []
    for parameter in operation.parameters:
        default = parameter.default
        if default is REQUIRED:
            shown.append(parameter.name)
        else:
            shown.append(f"{parameter.name}={'…' if default is None else written(default)}")
    return f"{operation.name}({', '.join(shown)})" if shown else operation.name


def parameter_text(parameter: Parameter) -> str:
    """What a parameter of an operation takes and means."""
    kind = " | ".join(parameter.values) if parameter.values else parameter.kind
    return f"`{parameter.name}`: {kind}{_default(parameter.default)}{_means(parameter.doc)}"


def option_text(option: Option) -> str:
    """What an option of a setting takes and means."""
    kind = " | ".join(option.values) if option.values else option.kind
    return f"`{option.name}`: {kind}{_default(option.default)}{_means(option.doc)}"


def item_signature(item: Item) -> str:
    """``sgd(lr=0.1, momentum=0.9)``, or ``epochs value`` where one plain value is taken."""
    if len(item.options) == 1 and item.options[0].name == "value":
        return f"{item.name} {item.options[0].kind}"
    shown = [
        o.name if _absent(o.default) else f"{o.name}={written(o.default)}" for o in item.options
    ]
    return f"{item.name}({', '.join(shown)})" if shown else item.name


def table_text(title: str, lines: Sequence[str], doc: str) -> str:
    """A Markdown text: code, a sentence, and a list."""
    parts = [f"```nas\n{title}\n```", doc, "\n".join(f"- {line}" for line in lines)]
    return "\n\n".join(p for p in parts if p)


def item_text(item: Item) -> str:
    """A setting with all it takes."""
    return table_text(item_signature(item), [option_text(o) for o in item.options], item.doc)


def operation_text(operation: Operation) -> str:
    """An operation with all it takes."""
    lines = [parameter_text(p) for p in operation.parameters]
    least, most = operation.arity
    taken = (
        f"{least}"
        if most == least
        else f"{least} or more"
        if most is None
        else f"{least} to {most}"
    )
    inputs = "" if (least, most) == (1, 1) else f" It takes {taken} inputs."
    return table_text(operation_signature(operation), lines, operation.doc + inputs)


def written(value: object) -> str:
    """A value as it would be written in a text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _absent(default: object) -> bool:
    return default is None or repr(default) == "REQUIRED"


def _default(default: object) -> str:
    return "" if _absent(default) else f", by default {written(default)}"


def _means(doc: str) -> str:
    return f". {doc[0].upper()}{doc[1:]}." if doc else "."


def searcher_items() -> Mapping[str, Item]:
    """The searchers with all their settings, the common ones included."""
    from nasdsl.search.table import lookup, names, whole

    found = {}
    for name in names():
        kind = lookup(name)
        if kind is not None:
            found[name] = whole(kind)
    return found


def setting_items(block: str) -> Mapping[str, Item]:
    """What may stand in a block of settings: ``data``, ``train``, ``report``, ``objective``…"""
    from nasdsl.objectives.metrics import items
    from nasdsl.objectives.report_settings import REPORT_ITEMS
    from nasdsl.training.settings import DATA_ITEMS, TRAIN_ITEMS

    if block == "search":
        return searcher_items()
    if block in ("objective", "best"):
        return items()
    tables: dict[str, Mapping[str, Item]] = {
        "data": DATA_ITEMS,
        "train": TRAIN_ITEMS,
        "report": REPORT_ITEMS,
    }
    return tables.get(block, {})
