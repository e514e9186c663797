"""A network's record of what is masqueraded: round trips, and damage is named."""

from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dari.errors import DariError, Undecodable
from dari.nft.entries import Masqueraded, read_all, read_entry, remove_entry, write_entry
from dari.paths import Paths

ENTRY = Masqueraded(sources=(ip_network("10.22.0.0/16"),), spared=(ip_network("fd00::/64"),))


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    paths = Paths(run=str(tmp_path))
    assert read_entry(paths, "net") is None
    write_entry(paths, "net", ENTRY)
    assert read_entry(paths, "net") == ENTRY
    assert read_all(paths) == ENTRY
    assert remove_entry(paths, "net")
    assert not remove_entry(paths, "net")
    assert read_all(paths) == Masqueraded()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"null",
        b'{"sources": "10.0.0.0/8"}',
        b'{"sources": [1]}',
        b'{"spared": ["x"]}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_a_damaged_record_is_named_with_the_mend(tmp_path: Path, content: bytes) -> None:
    paths = Paths(run=str(tmp_path))
    write_entry(paths, "net", ENTRY)
    path = Path(paths.masquerade, "net.json")
    path.write_bytes(content)
    with pytest.raises(Undecodable) as caught:
        read_all(paths)
    assert str(path) in caught.value.message
    assert "rm " in caught.value.details


@given(content=st.binary(max_size=200))
def test_random_bytes_are_a_record_or_undecodable(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    paths = Paths(run=str(tmp_path_factory.mktemp("run")))
    write_entry(paths, "net", ENTRY)
    Path(paths.masquerade, "net.json").write_bytes(content)
    try:
        read_all(paths)
    except DariError as error:
        assert error.code == 6
