"""The list of metrics."""

import json

from nasdsl.cli.program import main
from nasdsl.objectives.metrics import METRICS


def test_all_metrics_are_listed_with_what_they_are(capsys):
    assert main(["metrics", "--json"]) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {r["name"] for r in records} == set(METRICS)
    for record in records:
        assert {"name", "unit", "direction", "cost", "definition", "source"} <= set(record)
        assert record["definition"] == METRICS[record["name"]].definition
    (table,) = (r for r in records if r["name"] == "table")
    assert table["options"] == [
        {"name": "column", "default": None, "required": True, "doc": "as its heading says"}
    ]


def test_one_is_told_in_full(capsys):
    assert main(["metrics", "proxy.snip"]) == 0
    words = " ".join(capsys.readouterr().out.split())
    assert METRICS["proxy.snip"].definition in words
    assert "latency" not in words


def test_a_misspelt_one_names_the_nearest(capsys):
    assert main(["metrics", "latncy"]) == 1
    assert "did you mean 'latency'?" in capsys.readouterr().err
