"""Environments are made once, whole, and for one set of packages and one Python."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import run

import pytest

from local import venvs
from local.shell import Failure

NO_HASH = "numpy==2.4.6\n"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(venvs, "VENVS", tmp_path / "venvs")
    return tmp_path / "venvs"


@pytest.fixture
def requirements(tmp_path: Path) -> Path:
    """None at all, so that nothing has to be fetched."""
    path = tmp_path / "nothing.txt"
    path.write_text("# nothing\n")
    return path


def test_an_environment_has_a_python_of_its_own(requirements: Path) -> None:
    python = venvs.python(requirements)
    prefix = run(
        [python, "-c", "import sys; print(sys.prefix)"], capture_output=True, text=True, check=True
    ).stdout
    assert Path(prefix.strip()) == python.parents[1]


def test_the_second_time_it_is_there_already(requirements: Path) -> None:
    made = venvs.python(requirements).stat(follow_symlinks=False).st_ctime_ns
    assert venvs.python(requirements).stat(follow_symlinks=False).st_ctime_ns == made


def test_other_requirements_make_another_environment(requirements: Path) -> None:
    before = venvs.python(requirements)
    requirements.write_text("# nothing more\n")
    assert venvs.python(requirements) != before


def test_what_a_killed_run_left_is_cleared_away(requirements: Path, cache: Path) -> None:
    name = f"nothing-{venvs.fingerprint(requirements)}"
    for leftover in (f"{name}.partial-1", name):
        (cache / leftover / "bin").mkdir(parents=True)
    venvs.python(requirements)
    assert {path.name for path in cache.iterdir()} == {name, f"{name}.lock"}


def test_two_at_once_share_one(requirements: Path) -> None:
    with ThreadPoolExecutor() as threads:
        assert len(set(threads.map(venvs.python, [requirements] * 2))) == 1


def test_requirements_without_hashes_are_refused_and_leave_no_environment(requirements: Path) -> None:
    requirements.write_text(NO_HASH)
    with pytest.raises(Failure, match="hash"):
        venvs.python(requirements)
    with pytest.raises(Failure, match="hash"):
        venvs.python(requirements)
