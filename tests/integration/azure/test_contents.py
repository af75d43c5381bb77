"""The MD5s that storage lists: which files have one, and what that makes of the replicas of a registry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from hashlib import md5
from itertools import product
from typing import TYPE_CHECKING

import pytest

from modelfleet.aml import lookups
from tests.integration.azure.conftest import DATASTORE, SHARED, client, resolved
from tests.support.azure.registries import Registry
from tests.support.azure.workspaces import Model
from tests.support.azurite import SECOND_ACCOUNT

if TYPE_CHECKING:
    from modelfleet.core.registered import Resolution, Signed
    from tests.support.azure.cloud import Cloud
    from tests.support.azurite import Azurite

    Upload = Callable[[Azurite, str, str, bytes], None]

CONTENT, OTHER = b"content", b"CONTENT"
MODEL = "claims/model.onnx"
MD5 = md5(CONTENT, usedforsecurity=False).hexdigest()
OTHER_MD5 = md5(OTHER, usedforsecurity=False).hexdigest()


def at_once(account: Azurite, container: str, path: str, content: bytes) -> None:
    account.put(container, path, content)


def in_blocks(account: Azurite, container: str, path: str, content: bytes) -> None:
    account.put_in_blocks(container, path, content)


def in_blocks_with_md5(account: Azurite, container: str, path: str, content: bytes) -> None:
    account.put_in_blocks(container, path, content, md5(content, usedforsecurity=False).digest())


PAIRS = list(product((at_once, in_blocks, in_blocks_with_md5), repeat=2))


@pytest.fixture
def accounts(azure: Cloud, container: str) -> tuple[Azurite, Azurite]:
    """Two storage accounts, each with an empty container of the same name."""
    second = replace(azure.storage, account=SECOND_ACCOUNT)
    second.create_container(container)
    return azure.storage, second


def of_registry(azure: Cloud, container: str, account: Azurite) -> tuple[Resolution, Signed]:
    """The model of a registry, and an address of it, when that account is what answers."""
    found = Registry(
        "shared", (account.account,), azure.storage.sas, [Model("claims", "3", f"{container}/claims")]
    )
    azure.control.registries[:] = [found]
    return resolved("model.onnx", SHARED), lookups.sign(client(SHARED), "claims", "3")


@pytest.mark.parametrize(("upload", "has_md5"), [(at_once, True), (in_blocks, False), (in_blocks_with_md5, True)])
def test_a_file_has_an_md5_if_it_was_uploaded_at_once_or_with_it(
    azure: Cloud, container: str, accounts: tuple[Azurite, Azurite], upload: Upload, has_md5: bool
) -> None:
    upload(azure.storage, container, MODEL, CONTENT)
    found, signed = of_registry(azure, container, azure.storage)
    assert found.md5 == signed.md5 == ((("model.onnx", MD5),) if has_md5 else ())
    assert found.status().get("md5", {}) == ({"model.onnx": MD5} if has_md5 else {})
    assert found.listing == signed.listing


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_replicas_with_the_same_content_are_the_same_however_it_came_there(
    azure: Cloud, container: str, accounts: tuple[Azurite, Azurite], first: Upload, second: Upload
) -> None:
    for account, upload in zip(accounts, (first, second), strict=True):
        upload(account, container, MODEL, CONTENT)
        account.put(container, "claims/config.json", b"{}")
    one, _ = of_registry(azure, container, accounts[0])
    other, address = of_registry(azure, container, accounts[1])
    assert one.at(address) == other.since(one) == one


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_replicas_with_other_content_of_the_same_size_differ_where_both_have_an_md5(
    azure: Cloud, container: str, accounts: tuple[Azurite, Azurite], first: Upload, second: Upload
) -> None:
    first(accounts[0], container, MODEL, CONTENT)
    second(accounts[1], container, MODEL, OTHER)
    one, _ = of_registry(azure, container, accounts[0])
    other, address = of_registry(azure, container, accounts[1])
    assert one.listing == other.listing  # which is all that a pod can see
    is_told = in_blocks not in (first, second)
    assert (one.at(address) != one) == (other.since(one) != one) == is_told
    assert (one.at(address).content != one.content) == is_told
    assert not is_told or one.at(address).md5 == (("model.onnx", OTHER_MD5),)


def test_in_a_workspace_etags_tell_more_and_no_md5_is_recorded(
    azure: Cloud, container: str, register: Callable[..., Model]
) -> None:
    azure.storage.put(container, MODEL, CONTENT)
    register(f"{DATASTORE}/claims")
    assert (resolved().md5, resolved().content) == ((), "")


def test_the_files_that_can_be_served_are_told(
    azure: Cloud, container: str, register: Callable[..., Model]
) -> None:
    for name in ("a.onnx", "more/b.ort", "MLmodel"):
        azure.storage.put(container, f"claims/{name}", CONTENT)
    register(f"{DATASTORE}/claims")
    assert resolved().onnxFiles == ("a.onnx", "more/b.ort")
