"""What people write by habit of Python, YAML and other languages, and how it is written here.

A hint only explains a mistake that was found already: it never decides whether a text is right.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from nasdsl.diagnostics import suggestion

_Habit = tuple[str, str, str]
"""What the statement is before the place (matched at its end), what stands at it, the advice."""

_LOOKED_AT = 1_000

_SET = "a set of values stands in braces, as {8, 16}"
_RANGE = "a range is a..b, or a..b step c, both ends included"
_MODULES = "modules are put one after another by '>>'"
_COPIES = "copies of a module are written e * 3, or chain(e for i in 1..3) where they use i"
_ALTERNATIVE = "alternatives are written: choice Op = | skip = identity | conv3 = conv(8, 3)"
_SIDE_BY_SIDE = "names after 'where' stand side by side, without ',' or 'and' between them"

_HABITS: tuple[_Habit, ...] = (
    (r"(^|\n)[ \t]*", r"//|/\*", "a comment begins with '#'"),
    (r"\*", r"\*", "a power is written 2 ^ 3"),
    (r"\blambda\s+", r"\w", "a function is written: let f(c) = 2 * c"),
    (r"[=\w\s]", r":=", "write '=' in the place of ':='"),
    (r"^(train|search|report)\b[^{]*\{[^{}]*", r"[:=]", "a setting is written before its value, as epochs 12"),
    (r"^(train|objective|report)\s*", r":", "write braces around what belongs to '{0}'"),
    (r"^objective\s*", r"[a-z]", "goals stand in braces: objective { maximize accuracy }"),
    (r"^(data|search|best|space)\s*", r"[=:]", "the name follows directly: '{0}' takes no '='"),
    (r"^(network|key)\s*", r":", "write '=' in the place of ':', or braces for a graph of nodes"),
    (r"^choice\s+\w+(\s*\([^()]*\))?\s*[=:]?\s*", r"[:{\w]", _ALTERNATIVE),
    (r"^block\s+\w+(\s*\([^()]*\))?\s*", r"[:{]", "write: block Name(c, k) = conv(c, k) >> bn"),
    (r"^(input|output)\s+\w*\s*", r"\(", "sizes stand in square brackets, as image[3, 32, 32]"),
    (r"^search\s+\w+\s*", r"\(", "settings stand in braces: search random { samples 20 }"),
    (r"^require\b.*", r"=(?!=)", "compare by <=, >=, == or 'in'"),
    (r"^neighborhood\s*\{(.*[\s{])?", r"(any|step|flip|insert|remove)\b", "an edit has a name, as edit swap: any Op"),
    (r"^require\b.*(\bin\s*)?", r"\[|between\b", "a range is written: require params in 1k..5k"),
    (r"\d\s*%\s*", r"[,)}\n]", "a percentage is a number, as 0.5"),
    (r"(\bin|=)\s*", r"\[", _SET),
    (r"\bin\s+[^\n]*", r":", _RANGE),
    (r"\.\.", r"\.", _RANGE),
    (r"\bwhere\b.*", r",|and\b", _SIDE_BY_SIDE),
    (r"^choice\b.*", r"if\b", "a guard is written 'when', as | skip = identity when stride == 1"),
    (r".", r"if\b", "a conditional is written: if c then a else b"),
    (r"\bif\b(?:(?!\belse\b).)*\bthen\b(?:(?!\belse\b).)*", r"[)>\n]", "both sides are needed: if c then a else identity"),
    (r"\(.*", r"for\b", _COPIES),
    (r"\)\s*", r"(x|X)\s*\d", _COPIES),
    (r"^(network|block)\b.*", r"->|\|", _MODULES),
    (r"\d\s+", r"[kKMGT]\b", "a suffix follows its number without a blank, as 5M"),
    (r"\bpick\s+of\b.*", r".", "say how many: pick 2 of 0..j-1"),
    (r"\bone\s+", r"of\b", "a choice has a name: write k there, and 'where k in {3, 5}' at the end"),
    (r"^use\s+", r"\w", 'a file stands in quotes: use "nasbench201.nas"'),
    (r"^cell\b.*", r"return\b", "write 'output' in the place of 'return'"),
)  # fmt: skip

_WORDS = {
    "import": "use", "include": "use", "from": "use", "def": "block", "fn": "block",
    "function": "block", "module": "block", "class": "block", "macro": "block", "model": "network",
    "net": "network", "architecture": "network", "var": "let", "const": "let", "param": "let",
    "set": "let", "constraint": "require", "constraints": "require", "constrain": "require",
    "assert": "require", "dataset": "data", "training": "train", "optimizer": "train",
    "objectives": "objective", "strategy": "search", "algorithm": "search", "searcher": "search",
    "name": "space", "searchspace": "space", "search_space": "space", "inputs": "input",
    "outputs": "output", "mutations": "neighborhood", "edits": "neighborhood",
}  # fmt: skip
"""First words of statements elsewhere."""

_NAMES = {
    "batchnorm": "bn", "batchnorm1d": "bn", "batchnorm2d": "bn", "batch_norm": "bn", "norm": "bn",
    "layer_norm": "layernorm", "group_norm": "groupnorm", "ln": "layernorm", "gn": "groupnorm",
    "fc": "linear", "dense": "linear", "swish": "silu", "hardswish": "hswish",
    "hard_swish": "hswish", "hardsigmoid": "hsigmoid", "prelu": "leaky_relu",
    "gap": "global_avgpool", "globalaveragepooling": "global_avgpool",
    "adaptive_avgpool": "global_avgpool", "adaptiveavgpool2d": "global_avgpool",
    "max_pool2d": "maxpool", "avg_pool2d": "avgpool", "averagepool": "avgpool",
    "maxpooling": "maxpool", "se": "squeeze_excite", "squeeze_excitation": "squeeze_excite",
    "mbconv": "inverted_residual", "dwconv": "depthwise", "depthwise_conv": "depthwise",
    "sepconv": "separable", "sep_conv": "separable", "deconv": "conv_transpose",
    "mhsa": "attention", "self_attention": "attention", "multihead_attention": "attention",
    "skip": "identity", "skip_connect": "identity", "none": "zero", "null": "zero",
    "cat": "concat", "flops": "macs", "flop": "macs", "mult_adds": "macs", "madds": "macs",
    "mac": "macs", "parameters": "params", "num_params": "params", "n_params": "params",
    "weights": "params", "memory": "activation_memory", "num_layers": "depth", "len": "size",
}  # fmt: skip
"""Names that other libraries give to what is here."""

_ADVICE = {
    "range": "a range is written a..b, both ends included",
    "linspace": "a range is written a..b step c",
    **dict.fromkeys(
        ("choose", "uniform", "categorical", "randint", "one_of", "oneof", "sample"),
        "what is chosen has a name: 'where k in {3, 5}' after the network or a template",
    ),
    **dict.fromkeys(
        ("latency", "accuracy", "energy"),
        "it is measured, not worked out: a goal, as objective { minimize latency(at_most=5) }",
    ),
    "sequential": _MODULES,
    "repeat": "copies are written e * n",
}

_SIGNS = {
    **dict.fromkeys("\u201c\u201d\u2018\u2019\u00ab\u00bb'`", 'a text stands in straight double quotes, as "a text"'),
    "\u2264": "write <=", "\u2265": "write >=", "\u2260": "write !=", "\u00d7": "write *",
    "\u2212": "write -", "\u2013": "write -", "\u2192": "write ->", "\u2194": "write <->",
    "\u2295": "write +", "\u2026": "a range is written a..b", "\u00a0": "this is a blank of another kind; write a plain one",
    "&": "write 'and'", "$": "names stand alone, without a sign", "@": "names stand alone, without a sign",
    "~": "write 'not'", "?": "a part that may be left out is maybe(e)", "\\": "a statement goes on without a sign at the end of its line",
}  # fmt: skip


def syntax_hint(statement: str, at: int) -> str | None:
    """How to write what stands at a place of a statement that cannot be read there."""
    before, after = statement[:at], statement[at : at + 80]
    if len(before) > _LOOKED_AT:  # bounded, whatever the text
        before = before[: _LOOKED_AT // 2] + before[-_LOOKED_AT // 2 :]
    for left, right, advice in _HABITS:
        found = re.search(rf"(?:{left})\Z", before, re.DOTALL)
        if found and re.match(right, after):
            first = next((g for g in found.groups() if g), "")
            return advice.replace("{0}", first)
    return None


def sign_hint(character: str) -> str | None:
    """What to write in the place of a character that means nothing here."""
    return _SIGNS.get(character)


def statement_word(word: str) -> str | None:
    """The word that begins here what another language begins by this one."""
    return _WORDS.get(word.lower())


def meant(name: str, known: Iterable[str]) -> str:
    """What an unknown name most likely means, to end a message with; or nothing."""
    names = set(known)
    folded = name.lower()
    if folded in ("true", "false") and folded != name:
        return f"; did you mean '{folded}'?"
    here = _NAMES.get(folded)
    if here in names:
        return f"; did you mean '{here}'?"
    near = suggestion(name, names)
    advice = _ADVICE.get(folded)
    return f"; {advice}" if advice and not near else near
