"""Published tables in the place of training."""

import gzip
import os
from pathlib import Path

import pytest

import nasdsl
from nasdsl.diagnostics import DiagnosticError
from nasdsl.objectives.evaluate import evaluate
from nasdsl.objectives.metrics import MetricError, labels, request
from nasdsl.objectives.table import check_table, open_table, without_table
from nasdsl.training.settings import DataSettings, TrainSettings, read_data

SPACE = """
space tiny
input image[1, 8, 8]
output logits[10]
choice Op(c) = | skip = identity | conv = conv(c, 3)
cell C(c) {{
  input n[0]
  node n[j in 1..2] = Op(c)(n[j-1])
  output n[2]
}}
network = conv(4, 3) >> C(4) >> global_avgpool >> linear(10)
key "{{n[1].Op}}~{{n[2].Op}}"
data table("t.csv", key=arch, search=val, report=test{more})
objective {{ {goals} }}
search random {{ samples 4, seed 0 }}
"""
ROWS = """arch,val,test,group,"odd, name",empty
skip~skip,10,11,a,1,
skip~conv,20,21,b,2,
conv~skip,30,31,b,3,5
conv~conv,40,41,c,4,nan
"""
MORE = "id,robust\na,0.5\nb,0.25\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "t.csv").write_text(ROWS)
    (tmp_path / "more.csv.gz").write_bytes(gzip.compress(MORE.encode()))
    return tmp_path


def settings(**more):
    return DataSettings("table", "t.csv", key="arch", search="val", report="test", **more)


JOIN = {"join": "more.csv.gz", "on": "group", "join_key": "id"}


def text(goals="maximize accuracy", more=""):
    return SPACE.format(goals=goals, more=more)


def keys():
    return {a.key: a for a in nasdsl.load(text())}


def test_columns_of_both_files_are_values(folder):
    table = open_table(settings(**JOIN), folder)
    assert table.value("conv~conv") == 40
    assert table.value("conv~conv", "test") == 41
    assert table.value("skip~conv", "odd, name") == 2
    assert table.value("skip~conv", "robust") == table.value("conv~skip", "robust") == 0.25
    assert table.columns[-2:] == ("id", "robust")


@pytest.mark.parametrize(
    ("key", "column", "reason"),
    [
        ("pool~pool", None, "no row for 'pool~pool'"),
        ("skip~skip", "empty", "nothing as empty"),
        ("conv~conv", "empty", "'nan' as empty"),
        ("skip~skip", "group", "'a' as group"),
        ("conv~conv", "robust", "no row for group c"),
    ],
)
def test_what_is_not_there_has_a_reason(folder, key, column, reason):
    table = open_table(settings(**JOIN), folder)
    with pytest.raises(MetricError, match=reason):
        table.value(key, column)


def test_a_candidate_is_looked_up_and_not_trained(folder):
    asked = [request("accuracy"), request("table", column="robust"), request("params")]
    architecture = keys()["conv~skip"]
    found = evaluate(
        architecture.network, settings(**JOIN), TrainSettings(), asked, 0,
        base_folder=folder, facts={"key": architecture.key}, keep_weights=True,
    )  # fmt: skip
    assert found.state == "complete", found.detail
    assert {k: v.value for k, v in found.values.items()} == {
        "accuracy": 30.0, 'table(column="robust")': 0.25, "params": architecture.params,
    }  # fmt: skip
    assert found.weights is None
    assert not {"compile", "train", "data"} & set(found.timings)


def test_an_architecture_without_a_key_fails_with_a_reason(folder):
    network = keys()["conv~skip"].network
    found = evaluate(
        network, settings(), TrainSettings(), [request("accuracy")], 0, base_folder=folder
    )
    assert found.state == "failed"
    assert "outside the space" in found.reason


def test_each_column_has_a_label_of_its_own():
    assert labels([request("table", column="b"), request("accuracy")]) == (
        'table(column="b")', "accuracy",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"path": "none.csv"}, "NAS701", "none.csv"),
        ({"search": "vall"}, "NAS707", "did you mean 'val'"),
        ({"key": "archs"}, "NAS707", "did you mean 'arch'"),
        ({"report": "text"}, "NAS707", "did you mean 'test'"),
        ({**JOIN, "on": "grup"}, "NAS707", "did you mean 'group'"),
        ({**JOIN, "join_key": "idd"}, "NAS707", "did you mean 'id'"),
        ({"key": "group"}, "NAS702", "more than one row with group 'b'"),
    ],
)
def test_mistakes_are_told_before_the_first_trial(folder, changes, code, words):
    from dataclasses import replace

    with pytest.raises(DiagnosticError) as raised:
        open_table(replace(settings(), **changes), folder)
    assert [d.code for d in raised.value.diagnostics] == [code]
    assert words in str(raised.value)


@pytest.mark.parametrize(
    "content",
    [b"", b"arch,arch\n1,2\n", b"arch,val,test\na,1\n", b"\xff\xfe,\n", b"\x1f\x8bbroken",
     b'arch,val,test\n"a,1,2\n'],
)  # fmt: skip
def test_a_damaged_file_is_a_diagnostic(tmp_path, content):
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(DiagnosticError) as raised:
        open_table(settings(), tmp_path)
    assert raised.value.diagnostics[0].code == "NAS702"


def test_a_changed_file_is_read_again(folder):
    assert open_table(settings(), folder).value("skip~skip") == 10
    (folder / "t.csv").write_text(ROWS.replace("skip~skip,10", "skip~skip,12"))
    os.utime(folder / "t.csv", ns=(1, 1))
    assert open_table(settings(), folder).value("skip~skip") == 12


def test_goals_and_space_must_fit(folder):
    space = nasdsl.load(text())
    data = read_data(space.data)[0]
    check_table(space, data, [request("accuracy"), request("latency")], folder)
    for goal, code in (
        (request("loss"), "NAS714"),
        (request("proxy.snip"), "NAS714"),
        (request("table", column="tset"), "NAS707"),
    ):
        with pytest.raises(DiagnosticError) as raised:
            check_table(space, data, [goal], folder)
        assert raised.value.diagnostics[0].code == code
    (folder / "t.csv").write_text("arch,val,test\nother,1,2\n")
    with pytest.raises(DiagnosticError, match="the column arch holds 'other'"):
        check_table(space, data, [request("accuracy")], folder)
    (folder / "t.csv").write_text(ROWS)
    bare = nasdsl.load("\n".join(x for x in text().splitlines() if not x.startswith("key")))
    with pytest.raises(DiagnosticError, match="declares no key"):
        check_table(bare, data, [request("accuracy")], folder)
    with pytest.raises(DiagnosticError, match="the data are no table"):
        without_table([request("table", column="val")])


def test_join_needs_its_column():
    space = text(more=', join="more.csv.gz"')
    with pytest.raises(DiagnosticError, match="stand together"):
        nasdsl.load(space)


def test_a_whole_run(folder):
    (folder / "tiny.nas").write_text(
        text(
            "maximize accuracy, minimize table(robust)",
            ', join="more.csv.gz", on=group, join_key=id',
        )
    )
    found = nasdsl.run(folder / "tiny.nas", out=folder / "out", progress="quiet")
    assert {t.key for t in found.trials if t.state == "failed"} <= {"conv~conv"}
    for trial in found.trials:
        if trial.state == "complete":
            row = dict(line.split(",")[:2] for line in ROWS.splitlines())
            assert trial.objectives["accuracy"] == float(row[trial.key])
    assert found.best.state == "complete"
    assert found.figures["test"]["accuracy"] == found.best.objectives["accuracy"] + 1
    assert "test as test" in found.report.read_text()
    assert (found.folder / "best" / "model.py").exists()
    assert not (found.folder / "best" / "weights.safetensors").exists()


DATA = Path(os.environ.get("NASDSL_DATA", "../shared/data"))


@pytest.mark.skipif(not DATA.is_dir(), reason="the published tables are not here")
def test_the_published_optimum_of_nasbench201():
    space = nasdsl.load("spaces/nasbench201.nas")
    data = DataSettings(
        "table", str((DATA / "nasbench201_accuracy.csv.gz").resolve()), key="arch_str",
        search="val12_cifar10", report="test200_cifar10",
        join=str((DATA / "nasbench201_robustness_jung2023.csv.gz").resolve()),
        on="iso_index", join_key="arch_index",
    )  # fmt: skip
    table = check_table(space, data, [request("table", column="cifar10_clean")])
    best = max(table.main.rows, key=lambda key: table.value(key, "test200_cifar10"))
    assert table.value(best, "test200_cifar10") == pytest.approx(94.3733)
    assert table.value(best, "arch_index") == 6111
    assert space.find(best).declared_params / 1e6 == pytest.approx(
        table.value(best, "params_m_cifar10")
    )
    # Every architecture has a row of its class in the second file.
    assert abs(100 * table.value(best, "cifar10_clean") - 94.3733) < 1
    sample = [space.sample(i).key for i in range(50)]
    assert all(0 <= table.value(key, "cifar10_pgd_eps1") <= 1 for key in sample)
