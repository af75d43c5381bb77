"""Files that change under a running server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modelserver.watch import Watch, files

if TYPE_CHECKING:
    from pathlib import Path


class Counted:
    """How often it was called."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> None:
        self.calls += 1


@pytest.fixture
def changed() -> Counted:
    return Counted()


def mounted(folder: Path, content: str) -> Path:
    """A ConfigMap's file as the kubelet mounts it, with `content` from now on."""
    version = folder / f"..{len(list(folder.iterdir()))}"
    version.mkdir()
    (version / "live.yaml").write_text(content)
    link = folder / "..data.new"
    link.symlink_to(version.name)
    link.replace(folder / "..data")
    file = folder / "live.yaml"
    if not file.is_symlink():
        file.symlink_to("..data/live.yaml")
    return file


def test_the_first_look_counts_even_if_there_is_nothing(tmp_path: Path, changed: Counted) -> None:
    watch = Watch(tmp_path / "missing", changed)
    watch.look()
    watch.look()
    assert changed.calls == 1


def test_a_config_map_that_is_swapped_is_seen(tmp_path: Path, changed: Counted) -> None:
    watch = Watch(mounted(tmp_path, "a: 1"), changed)
    watch.look()
    mounted(tmp_path, "a: 2")  # of the same size, and maybe within the clock's tick
    watch.look()
    watch.look()
    assert changed.calls == 2


def test_a_file_counts_only_when_it_has_stopped_changing(tmp_path: Path, changed: Counted) -> None:
    file = tmp_path / "live.yaml"
    file.write_text("mirror:")
    watch = Watch(file, changed)
    watch.look()
    for more in ("\n  url: ", "http://canary", "\n  percent: 5"):
        file.write_text(file.read_text() + more)
        watch.look()
        assert changed.calls == 1
    watch.look()
    assert changed.calls == 2


def test_a_file_that_goes_and_comes_back_is_seen(tmp_path: Path, changed: Counted) -> None:
    file = tmp_path / "live.yaml"
    file.write_text("{}")
    watch = Watch(file, changed)
    watch.look()
    file.unlink()
    watch.look()
    watch.look()
    file.write_text("{}")
    watch.look()
    watch.look()
    assert changed.calls == 3


def test_of_a_folder_the_links_of_kubernetes_are_no_files(tmp_path: Path) -> None:
    file = mounted(tmp_path, "key")
    assert files(tmp_path) == [file]
