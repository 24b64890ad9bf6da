"""The study of proxies and robustness against figures computed by other code from other copies."""

import json
import sys
import xml.etree.ElementTree as ElementTree
from importlib import import_module

import numpy as np
import pytest

import nasdsl

study, page = map(import_module, ("proxies_to_robustness", "proxies_to_robustness_page"))
frame = import_module("study_frame")
SPACE = nasdsl.load(study.SPACE)


@pytest.fixture(scope="module")
def table():
    folder = frame.data_folder()
    if lacking := frame.missing(folder, study.files(SPACE)):
        pytest.skip(f"needs {', '.join(lacking)}: set NASDSL_DATA to their folder")
    return study.read(folder)


class TestTable:
    def test_one_row_per_class_that_has_proxies(self, table):
        assert len(table.cells) == 6285
        assert table.proxies.shape == (6285, 13)
        assert np.isfinite(table.proxies).all()

    def test_encodings_agree_with_the_declared_parameters(self, table):
        """0.073306 M, plus 0.028 a 1x1 and 0.24304 a 3x3 convolution."""
        params = table.proxies[:, study.PROXIES.index("params")]
        counts = table.op_counts
        expected = 0.073306 + 0.028 * counts[:, 2] + 0.24304 * counts[:, 3]
        assert np.allclose(params, expected, atol=1e-5)
        assert (table.one_hot.reshape(-1, 6, 5).sum(axis=2) == 1).all()

    def test_targets_are_the_published_ones(self, table):
        assert table.targets["fgsm"].max() == pytest.approx(0.692)
        assert table.targets["square"].max() == pytest.approx(0.736)
        of_kinds = np.mean([table.targets[kind] for kind in study.CORRUPTIONS], axis=0)
        assert len(study.CORRUPTIONS) == 15
        assert np.allclose(table.targets["corruptions"], of_kinds)

    def test_top_1_and_the_others_make_all(self, table):
        one, others = (table.features(name, "jacov") for name in ("top_1", "without_top_1"))
        assert one.shape[1] == 1 and others.shape[1] == 12
        joined = np.insert(others, study.PROXIES.index("jacov"), one[:, 0], axis=1)
        assert np.array_equal(joined, table.proxies)


class TestSpace:
    def test_the_file_declares_the_tables_and_the_targets(self):
        assert study.files(SPACE) == [
            "nasbench201_accuracy.csv.gz",
            "nasbench201_robustness_jung2023.csv.gz",
            "nasbench201_zerocost.csv.gz",
        ]
        assert (*study.declared(SPACE), "corruptions") == study.TARGETS
        assert study.declared(SPACE)["pgd"] == "cifar10_pgd_eps1"
        assert SPACE.size == 5**6

    def test_edges_stand_in_the_order_of_the_key(self):
        cell = SPACE[12_345]
        written = [op.split("~")[0] for op in str(cell.key).replace("+", "").split("|") if op]
        assert list(cell.decisions.values()) == written
        assert set(written) <= set(study.OPERATIONS)


class TestForests:
    @pytest.mark.parametrize(("target", "published"), [("clean", 0.90), ("fgsm", 0.83)])
    def test_r2_at_1024_is_the_published(self, table, target, published):
        ((r2, tau),) = study.scores(table.proxies, table.targets[target], 1024, 0)
        assert r2 == pytest.approx(published, abs=0.03)
        assert 0.7 < tau < 0.9

    def test_shuffled_targets_are_not_predicted(self, table):
        """Nothing of the test rows reaches the forest."""
        y = np.random.default_rng(0).permutation(table.targets["clean"])
        ((r2, tau),) = study.scores(table.proxies, y, 128, 0)
        assert r2 < 0.05
        assert abs(tau) < 0.05


class TestSplit:
    def test_a_split_is_a_partition_and_nested(self):
        train, test = study.split(200, 32, 3)
        assert sorted([*train, *test]) == list(range(200))
        assert set(train) < set(study.split(200, 128, 3)[0])
        assert set(train) != set(study.split(200, 32, 4)[0])


class TestStudy:
    @pytest.fixture(scope="class")
    @classmethod
    def result(cls, tmp_path_factory):
        """The study over made-up cells: every target is a function of one proxy."""
        random = np.random.default_rng(1)
        n = 240
        proxies = random.normal(size=(n, 13))
        one_hot = np.eye(5)[random.integers(0, 5, (n, 6))]
        signal = proxies[:, study.PROXIES.index("snip")]
        names = (*study.TARGETS, *study.CORRUPTIONS)
        made = study.Table(
            cells=np.arange(n),
            proxies=proxies,
            one_hot=one_hot.reshape(n, 30),
            op_counts=one_hot.sum(axis=1),
            targets={name: signal * (i + 1) for i, name in enumerate(names)},
        )
        folder = tmp_path_factory.mktemp("tables")
        for name in study.files(SPACE):
            (folder / name).touch()
        out = folder / "figures.json"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(study, "TREES", 10)
            patch.setattr(study, "SIZES", (8, 80, 1024))
            patch.setattr(study, "QUICK", 2)
            patch.setattr(study, "read", lambda folder: made)
            options = ["--quick", "--jobs", "1", "--data", str(folder), "--json", str(out)]
            patch.setattr(sys, "argv", ["study", *options])
            study.main()
        return json.loads(out.read_text())

    def test_the_proxy_that_decides_is_found(self, result):
        assert set(result["top_1"].values()) == {"snip"}
        assert result["proxy_tau"]["pgd"]["snip"] == pytest.approx(1)
        at = {name: result["forests"][name]["80"]["pgd"]["r2"][0] for name in study.SETS}
        assert at["top_1"] > 0.9
        assert at["proxies"] > 0.8
        assert at["without_top_1"] < 0.2
        assert at["one_hot"] < 0.2
        assert result["joint"]["80"]["pgd"]["clean_r2"][0] > 0.8

    def test_the_figures_have_their_places(self, result):
        for size in ("8", "80"):
            assert set(study.TARGETS) <= set(result["r2"][size])
            assert set(study.CORRUPTIONS) <= set(result["r2"][size])
            entry = result["forests"]["proxies"][size]["square"]
            assert result["r2"][size]["square"] == pytest.approx(np.mean(entry["r2"]))

    def test_the_page_shows_the_figures(self, result, tmp_path, monkeypatch):
        (tmp_path / "figures.json").write_text(json.dumps(result))
        command = [str(tmp_path / "figures.json"), str(tmp_path)]
        monkeypatch.setattr(sys, "argv", ["page", *command])
        page.main()
        text = (tmp_path / "proxies_to_robustness.md").read_text()
        for target in study.TARGETS:
            assert f"{result['r2']['80'][target]:.2f}" in text
        drawing = ElementTree.parse(tmp_path / "proxies_to_robustness.svg").getroot()
        lines = [e for e in drawing.iter() if e.tag.endswith("polyline")]
        assert len(lines) == len(study.TARGETS) * len(page.DRAWN)
