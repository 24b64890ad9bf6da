"""Folders of images as data sets."""

import pytest
from PIL import Image

from nasdsl.diagnostics import DiagnosticError
from tests.training.reading import code, cut, read


def picture(path, value, size=(6, 5), mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value).save(path)


def test_image_folder(tmp_path):
    picture(tmp_path / "dog" / "1.png", (1, 2, 3))
    picture(tmp_path / "cat" / "b.png", (4, 5, 6))
    picture(tmp_path / "cat" / "a.bmp", (7, 8, 9))
    (tmp_path / "cat" / "notes.txt").write_text("no image")
    raw = read("images", tmp_path)
    assert raw.classes == ("cat", "dog")
    assert raw.x.shape == (3, 3, 5, 6)
    assert raw.x[:, :, 0, 0].tolist() == [[7, 8, 9], [4, 5, 6], [1, 2, 3]]
    assert raw.y.tolist() == [0, 0, 1]
    assert raw.test is None


def test_image_folder_in_parts_resized_and_grey(tmp_path):
    picture(tmp_path / "train" / "a" / "1.png", 100, (9, 7), "L")
    picture(tmp_path / "train" / "b" / "1.png", (200, 200, 200), (4, 4))
    picture(tmp_path / "test" / "b" / "1.png", 50, (5, 5), "L")
    raw = read("images", tmp_path, size=4, channels=1)
    assert raw.x.shape == (2, 1, 4, 4)
    assert raw.x[:, 0, 2, 2].tolist() == [100, 200]
    assert raw.test[1].tolist() == [1]


def test_image_folder_wrong(tmp_path):
    cases = {}
    cases["empty"] = tmp_path / "empty"
    cases["empty"].mkdir()
    (tmp_path / "bare" / "a").mkdir(parents=True)
    cases["bare"] = tmp_path / "bare"
    picture(tmp_path / "sizes" / "a" / "1.png", 0, (3, 3), "L")
    picture(tmp_path / "sizes" / "a" / "2.png", 0, (4, 3), "L")
    cases["sizes"] = tmp_path / "sizes"
    picture(tmp_path / "broken" / "a" / "1.png", 0, (30, 30), "L")
    cut(tmp_path / "broken" / "a" / "1.png", 30)
    cases["broken"] = tmp_path / "broken"
    picture(tmp_path / "extra" / "train" / "a" / "1.png", 0)
    picture(tmp_path / "extra" / "test" / "b" / "1.png", 0)
    cases["extra"] = tmp_path / "extra"
    messages = {}
    for name, path in cases.items():
        with pytest.raises(DiagnosticError) as error:
            read("images", path)
        assert code(error) == "NAS702", name
        messages[name] = str(error.value)
    assert "size=32" in messages["sizes"]
    assert "2.png" in messages["sizes"]
    with pytest.raises(DiagnosticError) as error:
        read("images", tmp_path / "none")
    assert code(error) == "NAS701"


def test_image_folders_whose_test_images_have_another_size(tmp_path):
    picture(tmp_path / "train" / "a" / "1.png", 0, (4, 4), "L")
    picture(tmp_path / "test" / "a" / "1.png", 0, (5, 5), "L")
    with pytest.raises(DiagnosticError, match="give one size"):
        read("images", tmp_path)


def test_an_image_that_is_a_bomb(tmp_path, monkeypatch):
    picture(tmp_path / "a" / "1.png", 0, (40, 40), "L")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(DiagnosticError) as error:
        read("images", tmp_path)
    assert code(error) == "NAS702"
