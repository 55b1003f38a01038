"""Every program of examples/, run as it stands."""

import runpy
import sys

import pytest

from tests.conftest import ROOT

# What each says at its end, and in docs/plugins.md there is a section that names it.
SAYS = {
    "backbone_in_detectron2": ["levels p3, p4, p5, p6, p7", "levels p2, p3, p4, p5, p6", "segm AP"],
    "nested_structures": ["nucleolus"],
    "parts_alone": ["Dice of discs 0.967", "loss:", "CAM: (1, 3, 128, 128)"],
    "lazy_train": ["loss", "Dice of discs"],
    "with_pointrend": ["PointRendMaskHead on our backbone", "beside it RFNetROIHeads"],
}


def test_every_example_is_run_and_documented():
    programs = {x.stem for x in (ROOT / "examples").glob("*.py") if "__main__" in x.read_text(encoding="utf-8")}
    assert programs == set(SAYS)
    pages = [(ROOT / page).read_text(encoding="utf-8") for page in ("docs/plugins.md", "examples/README.md")]
    assert all(f"examples/{name}.py" in page for name in SAYS for page in pages)


@pytest.mark.slow
@pytest.mark.parametrize("name", SAYS)
def test_it_runs(name, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [f"{name}.py", str(tmp_path)])
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    runpy.run_path(str(ROOT / "examples" / f"{name}.py"), run_name="__main__")
    said = capsys.readouterr().out
    for words in SAYS[name]:
        assert words in said
