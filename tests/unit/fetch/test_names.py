"""Names of blobs become paths below the model's folder, or are refused."""

import pytest

from modelserver.fetch.errors import ModelInvalid
from modelserver.fetch.source import RemoteFile, without_markers


def blob(path: str, size: int = 1) -> RemoteFile:
    return RemoteFile(f"prefix/{path}", path, size, '"1"')


def test_empty_blobs_where_a_folder_is_are_left_out() -> None:
    files = [blob("a", 0), blob("a/b", 0), blob("a/b/model.onnx"), blob("empty.txt", 0), blob("c/", 0)]
    assert [file.path for file in without_markers(files)] == ["a/b/model.onnx", "empty.txt"]


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/etc/passwd", "a//b", "./x", "a/.", "a\\..\\b", ""])
def test_a_name_that_leads_out_of_the_folder_is_refused(path: str) -> None:
    with pytest.raises(ModelInvalid, match="cannot be used as the path of a file"):
        without_markers([blob("model.onnx"), blob(path)])
