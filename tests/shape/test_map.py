"""docs/architecture.md is true to the folders, and pages name files that exist."""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.conftest import ROOT

MAP = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def table(section: str) -> list[str]:
    """The first cells of the rows of the first table behind the words `section`."""
    rows = re.search(r"\|---.*\n((?:\|.*\n)+)", MAP[MAP.index(section) :])
    assert rows
    return [line.split("|")[1].strip(" `") for line in rows[1].splitlines()]


def layers() -> list[str]:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (contract,) = [each for each in config["contracts"] if each["type"] == "layers"]
    return [room for layer in contract["layers"] for room in layer.split(" | ")]


def test_the_map_has_every_room_in_the_order_of_the_imports() -> None:
    rooms = table("## Rooms")
    assert rooms == [room for room in layers() if room != "__main__"]
    here = {path.stem for path in (ROOT / "loader").iterdir() if path.suffix in ("", ".py")}
    assert {*rooms} == {name for name in here if not name.startswith("__")}


def test_the_map_has_every_other_folder_that_is_distributed() -> None:
    hatch = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]
    distributed = hatch["build"]["targets"]["sdist"]["include"]
    folders = {name for name in distributed if (ROOT / name).is_dir()}
    assert {*table("Outside of `loader/`")} == folders - {"loader"}


PATH = re.compile(r"`((?:loader|sql|tests|migrations|docs|benchmarks|examples)/[\w./-]+)`")


PAGES = ["docs/architecture.md", "docs/glossary.md", "README.md", "CONTRIBUTING.md"]
#: What a recipe makes: a file of a name that its reader chooses.
CHOSEN = re.compile(r"NAME|CASE|000\d_")


@pytest.mark.parametrize("page", PAGES)
def test_the_files_that_a_page_names_exist(page: str) -> None:
    named = PATH.findall((ROOT / page).read_text(encoding="utf-8"))
    existing = [path for path in named if not CHOSEN.search(path)]
    assert not [path for path in existing if not (ROOT / path).exists()]


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs"])
def test_links_lead_somewhere(page: str) -> None:
    start = ROOT / page
    for path in sorted(start.rglob("*.md")) if start.is_dir() else [start]:
        for link in re.findall(r"\]\(([^)#\s]+)", path.read_text(encoding="utf-8")):
            assert "://" in link or (path.parent / link).exists(), f"{path.name}: {link}"
