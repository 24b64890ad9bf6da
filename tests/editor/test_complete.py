"""Completion by the place of the cursor, in sound texts and in broken ones."""

from __future__ import annotations

import random

import pytest

from nasdsl.editor.complete import complete
from nasdsl.editor.document import Document
from nasdsl.language.parser import STATEMENTS
from nasdsl.objectives.metrics import METRICS
from nasdsl.operations.table import OPERATIONS
from nasdsl.training.settings import DATA_ITEMS, TRAIN_ITEMS
from tests.editor.marked import SHIPPED, TINY, marked


def labels(text: str, *sorts: str) -> list[str]:
    document, offset = marked(text)
    return [c.label for c in complete(document, offset) if not sorts or c.sort in sorts]


def test_an_empty_text_offers_all_statements() -> None:
    assert set(labels("‸")) == set(STATEMENTS)


def test_what_may_stand_once_is_not_offered_again() -> None:
    found = labels(TINY + "\n‸")
    assert "network" not in found and "train" not in found
    assert {"block", "let", "require"} <= set(found)


def test_an_expression_offers_names_in_scope_and_operations() -> None:
    found = labels("let w = 3\nblock A(c, k) = ‸\n\nblock B(d) = bn\n")
    assert {"w", "c", "k", "B", "conv", "maybe"} <= set(found)
    assert "d" not in found
    assert set(OPERATIONS) <= set(found)
    assert "if" in found and "pick" not in found and "where" not in found


def test_names_of_a_broken_statement_are_still_offered() -> None:
    text = "cell C(c) {\n  input n[0]\n  node m[j in 1..3] = sum(‸\n}\n"
    assert {"c", "j", "m"} <= set(labels(text, "name"))
    assert {"k", "e"} <= set(labels("block A(c) = conv(c, ‸\n  where k in {3}\n        e in {1}\n"))


@pytest.mark.parametrize("text", ["let ‸", "block ‸", "choice A = | ‸", "block A(‸", "space ‸"])
def test_nothing_is_offered_where_a_new_name_stands(text: str) -> None:
    assert labels(text, "name", "operation", "function") == []


def test_an_argument_offers_parameters_that_are_not_given() -> None:
    assert labels("block A(c) = conv(c, ‸)", "option") == [
        "channels", "kernel", "stride", "dilation", "groups", "bias",
    ]  # fmt: skip
    assert "bias" not in labels("block A(c) = conv(c, bias=false, ‸)", "option")
    own = "block A(c, k = 3) = conv(c, k)\nnetwork = A(3, ‸)\n"
    assert labels(own, "option") == ["c", "k"]


def test_a_value_of_an_argument_is_one_of_its_words() -> None:
    found = labels("block A(c) = inverted_residual(c, act=‸)")
    assert "hswish" in found and "conv" not in found
    assert labels("block A(c) = conv(c, 3, bias=‸)") == ["true", "false"]


def test_settings_offer_what_their_block_takes() -> None:
    assert labels("train { ‸ }") == list(TRAIN_ITEMS)
    assert labels("train {\n  epochs 12,\n  ‸\n}") == list(TRAIN_ITEMS)
    assert labels("train { sgd(lr=0.1, ‸) }") == ["momentum", "weight_decay", "nesterov"]
    assert labels("train { sgd(nesterov=‸) }") == ["true", "false"]
    assert labels("data ‸") == list(DATA_ITEMS)
    assert "noise" in labels("data digits(‸)")
    assert labels('data npz("a", layout=‸)') == ["auto", "nhwc", "nchw"]
    assert {"random", "na_random"} <= set(labels("search ‸"))
    assert {"samples", "seed", "neighbors"} <= set(labels("search na_random { ‸ }"))
    assert labels("report { ‸ }")[0] == "retrain"


def test_objectives_offer_directions_then_metrics_then_options() -> None:
    assert labels("objective { ‸ }") == ["maximize", "minimize"]
    assert labels("objective { maximize ‸ }") == list(METRICS)
    assert labels("objective { maximize accuracy, ‸ }") == ["maximize", "minimize"]
    assert "samples" in labels("objective { maximize flatness.neighborhood(‸) }")
    assert labels("best ‸") == ["maximize", "minimize"]
    assert set(labels("best maximize ‸")) == set(METRICS)


def test_a_metric_is_completed_behind_its_dot() -> None:
    document, offset = marked("objective { maximize flatness.‸ }")
    found = {c.label: c.insert for c in complete(document, offset)}
    assert found["flatness.weights"] == "weights" and "accuracy" not in found


def test_edits_offer_rules_labels_and_what_is_decided() -> None:
    def edit(text: str, *sorts: str) -> list[str]:
        return labels(TINY.replace("edit conv_to_skip: conv3x3 -> skip", text), *sorts)

    assert edit("edit x: ‸", "keyword") == ["any", "step", "insert", "remove", "flip"]
    assert edit("edit x: ‸", "name") == ["skip", "conv3x3", "conv5x5", "pool"]
    assert edit("edit x: step ‸") == ["width", "depth"]
    assert edit("edit x: any ‸", "name") == ["Op", "width", "depth", "inputs"]
    assert edit("edit x: conv3x3 -> ‸", "name") == ["skip", "conv3x3", "conv5x5", "pool"]
    assert edit("edit x: any Op.‸", "name") == ["skip", "conv3x3", "conv5x5", "pool"]
    assert {"at", "then", "weight"} <= set(edit("edit x: any Op ‸", "keyword"))


def test_constraints_offer_quantities_and_decisions() -> None:
    found = labels(TINY.replace("params <= 60k", "‸"))
    assert {"params", "macs", "count", "width", "depth", "skip"} <= set(found)


def test_use_offers_files() -> None:
    assert "nasbench201.nas" in labels('use "‸"')


@pytest.mark.parametrize("text", ["# let ‸", 'space a "conv ‸"', "let a = 3 # conv ‸"])
def test_comments_and_texts_offer_nothing(text: str) -> None:
    assert labels(text) == []


def test_a_keyword_may_follow_where_the_parser_takes_it() -> None:
    assert "where" in labels("block A(c) = conv(c, 3) ‸", "keyword")
    assert labels("choice A = | a = bn ‸", "keyword") == ["and", "in", "not", "or", "when", "where"]
    assert "then" in labels("let a = if b ‸", "keyword")
    assert {"pick", "some"} <= set(labels("let a = ‸", "keyword"))
    assert {"input", "node", "output", "let"} <= set(labels("cell A { ‸ }", "keyword"))


def test_any_offset_of_any_shipped_file_can_be_completed() -> None:
    rng = random.Random(3)
    for path in SHIPPED:
        text = path.read_text(encoding="utf-8")
        for _ in range(12):
            cut = rng.randrange(len(text))
            complete(Document(str(path), text), cut)
            complete(Document(str(path), text[:cut]), cut)
