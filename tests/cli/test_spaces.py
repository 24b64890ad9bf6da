"""The verbs about a space: their JSON, their text, their errors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Call, wide

FIELDS = {"rank", "decisions", "key", "fingerprint", "params", "macs"}


def count_feasible() -> int:
    """Of the small space, by hand: params of each network under 700."""
    found = 0
    for width in (2, 4, 8):
        for op in (0, 9 * width * width + width, 0):
            for depth in (1, 2):
                stem = 9 * width + width
                tail = depth * (width * width + width) + 10 * width + 10
                found += stem + op + tail <= 700
    return found


def test_info(call: Call, small: Path) -> None:
    answer = call("info", small, "--json")
    assert answer.code == 0
    record = answer.record
    assert {k: record[k] for k in ("name", "architectures", "feasible")} == {
        "name": "small",
        "architectures": 18,
        "feasible": count_feasible(),
    }
    assert {c["name"]: c["values"] for c in record["choices"]} == {"Op": 3, "width": 3, "depth": 2}
    for name in ("neighbors", "params", "macs"):
        assert record[name]["min"] <= record[name]["max"]
        assert set(record[name]) <= {"min", "max", "exact"}


def test_info_counts_the_quickstart(call: Call, quickstart: Path) -> None:
    record = call("info", quickstart, "--json").record
    assert record["architectures"] == 3 * 4**2 * (4 + 4**2 + 4**3) == 4032


def test_info_for_a_person(call: Call, small: Path) -> None:
    answer = call("info", small)
    assert answer.out.startswith("small: eighteen\n  architectures  18\n")
    assert not wide(answer.out)


def test_overrides_change_the_space(call: Call, small: Path) -> None:
    for samples in ("5", "7"):
        answer = call("info", small, "--json", "--set", f"search.samples={samples}")
        assert answer.code == 0


def test_a_wrong_override_is_a_diagnostic(call: Call, small: Path) -> None:
    answer = call("info", small, "--set", "search.sample=3")
    assert answer.code == 1
    assert "samples" in answer.err


def test_sample(call: Call, small: Path) -> None:
    answer = call("sample", small, "-n", "20", "--seed", "3", "--json")
    assert answer.code == 0
    records = answer.records
    assert len(records) == 20
    for record in records:
        assert set(record) >= FIELDS
        assert 0 <= record["rank"] < 18
        assert record["params"] <= 700
        assert record["decisions"]["width"] in (2, 4, 8)
    assert call("sample", small, "-n", "20", "--seed", "3", "--json").records == records
    assert call("sample", small, "-n", "20", "--seed", "4", "--json").records != records
    assert len({record["rank"] for record in records}) > 5


def test_sample_for_a_person(call: Call, small: Path) -> None:
    ranks = [f"#{r['rank']}" for r in call("sample", small, "-n", "4", "--json").records]
    assert call("sample", small, "-n", "4", "-q").out.split() == ranks
    text = call("sample", small, "-n", "4", "-v").out
    assert [word for word in text.split() if word.startswith("#")] == ranks
    assert text.count("width = ") == 4
    assert not wide(text)


def test_no_sample(call: Call, small: Path) -> None:
    assert call("sample", small, "-n", "0", "--json").out == ""


@pytest.mark.parametrize("form", ["7", "#7"])
def test_show_finds_an_architecture_by_rank(form: str, call: Call, small: Path) -> None:
    record = call("show", small, form, "--json").record
    assert record["rank"] == 7
    assert set(record) >= FIELDS


def test_show_reads_what_sample_wrote(call: Call, small: Path, tmp_path: Path) -> None:
    drawn = call("sample", small, "--seed", "5", "--json")
    (tmp_path / "a.json").write_text(drawn.out)
    assert call("show", small, tmp_path / "a.json", "--json").record == drawn.record


def test_show_for_a_person(call: Call, small: Path) -> None:
    record = call("show", small, "7", "--json").record
    text = call("show", small, "7").out
    assert text.startswith(f"small #7\n  fingerprint  {record['fingerprint']}\n")
    assert f"{record['params']:,}" in text
    for name in ("conv", "relu", "maxpool", "global_avgpool", "linear"):
        assert name in text
    detailed = call("show", small, "7", "-v").out
    assert "    from relu" in detailed and "stride=1" in detailed
    assert not wide(text + detailed)


def test_neighbors(call: Call, small: Path) -> None:
    answer = call("neighbors", small, "0", "--json")
    assert answer.code == 0
    records = answer.records
    center = call("show", small, "0", "--json").record["decisions"]
    for record in records:
        assert set(record) == {"edit", "rank", "fingerprint", "changed"}  # inside the space
        shown = call("show", small, record["rank"], "--json").record
        assert shown["fingerprint"] == record["fingerprint"]
        expected = [
            {"decision": name, "from": value, "to": shown["decisions"][name]}
            for name, value in center.items()
            if shown["decisions"][name] != value
        ]
        assert record["changed"] == expected
    # rank 0 has the first value of everything: two other operations, one wider
    assert sorted(record["edit"] for record in records) == ["resize", "swap", "swap"]
    assert len({record["rank"] for record in records}) == 3


def test_some_neighbors(call: Call, small: Path) -> None:
    every = [r["rank"] for r in call("neighbors", small, "0", "--json").records]
    two = [r["rank"] for r in call("neighbors", small, "0", "-n", "2", "--json").records]
    assert len(set(two)) == 2
    assert set(two) <= set(every)
    assert call("neighbors", small, "0", "-q").out.split() == [f"#{rank}" for rank in every]


def test_neighbors_for_a_person(call: Call, small: Path) -> None:
    text = call("neighbors", small, "0").out
    assert "width: 2 -> 4" in text
    assert not wide(text)


@pytest.mark.parametrize("verb", ["show", "neighbors", "compile"])
@pytest.mark.parametrize("arch", ["18", "#99999999999999999999", "-x", "no such key", "", "1.5"])
def test_an_architecture_that_is_not_there(verb: str, arch: str, call: Call, small: Path) -> None:
    answer = call(verb, small, "--json", "--", arch)
    assert answer.code == 1
    assert answer.codes


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"7",
        b'{"rank": "x"}',
        b'{"rank": 99}',
        b'{"decisions": 3}',
        b"\xff",
        b"{}",
    ],
    ids=repr,
)
def test_a_json_file_that_is_no_architecture(
    content: bytes, call: Call, small: Path, tmp_path: Path
) -> None:
    (tmp_path / "a.json").write_bytes(content)
    answer = call("show", small, tmp_path / "a.json", "--json")
    assert answer.code == 1
    assert answer.codes


def test_decisions_that_do_not_fit(call: Call, small: Path, tmp_path: Path) -> None:
    record = call("show", small, "3", "--json").record
    for change in ({"width": 3}, {"width": "2"}, {"widht": 2}):
        changed = {**record, "rank": None, "decisions": {**record["decisions"], **change}}
        (tmp_path / "a.json").write_text(json.dumps(changed))
        assert call("show", small, tmp_path / "a.json").code == 1


@pytest.mark.parametrize("verb", ["info", "sample", "check"])
def test_files_that_are_no_texts(verb: str, call: Call, tmp_path: Path) -> None:
    (tmp_path / "latin.nas").write_bytes(b"space caf\xe9")
    for name, code in (("none.nas", "NAS901"), (".", "NAS902"), ("latin.nas", "NAS013")):
        answer = call(verb, tmp_path / name, "--json")
        assert answer.code == 1
        assert answer.codes == [code]


def test_a_neighbor_outside_the_space_goes_through_every_verb(
    call: Call, small: Path, tmp_path: Path
) -> None:
    """A rewrite replaces the first convolution of 3 by two of 1."""
    path = tmp_path / "rewrite.nas"
    path.write_text(
        small.read_text().replace(
            "  edit resize:", "  edit split: conv(c, 3) -> conv(c, 1) >> conv(c, 1)\n  edit resize:"
        )
    )
    found = call("neighbors", path, "0", "--json").records
    outside = [record for record in found if record["rank"] is None]
    assert {record["edit"] for record in outside} == {"split"}
    line = outside[0]
    (tmp_path / "outside.json").write_text(json.dumps(line))
    shown = call("show", path, tmp_path / "outside.json", "--json").record
    assert (shown["rank"], shown["decisions"]) == (None, None)
    assert shown["fingerprint"] == line["fingerprint"]
    # 2 channels: 9 * 2 + 2 become 2 + 2 and 4 + 2
    assert shown["params"] == call("show", path, "0", "--json").record["params"] - 20 + 10
    text = call("show", path, tmp_path / "outside.json").out
    assert text.startswith("small outside the space\n")
    assert call("neighbors", path, "0").out.count(" outside ") == len(outside)
    assert call("neighbors", path, tmp_path / "outside.json", "--json").code == 0
    assert "def build" in call("compile", path, tmp_path / "outside.json").out
    (score,) = call(
        "score", path, tmp_path / "outside.json", "--metric", "params", "--json"
    ).records
    assert score["value"] == shown["params"]
