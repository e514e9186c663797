"""Random and hostile configurations and lease files: an error with a code, or an answer."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from dari.errors import BadConfig, DariError, NoFreeAddress, NotAvailable
from dari.ipam.folder import parse_owner
from tests.unit.ipam.node import Node, addresses, owner

_SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8))
_JUNK = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
_KEYS = st.sampled_from(
    ["subnet", "rangeStart", "rangeEnd", "gateway", "ranges", "routes", "type", "x"]
)


@settings(deadline=None, max_examples=150)
@given(st.dictionaries(_KEYS, _JUNK), st.dictionaries(st.just("ipRanges"), _JUNK))
def test_a_hostile_section_is_bad_config_and_leaves_nothing(
    ipam: dict[str, object], runtime_config: dict[str, object]
) -> None:
    with tempfile.TemporaryDirectory() as root:
        node = Node(Path(root))
        leases = node.leases(ipam, runtime_config=runtime_config)
        try:
            leases.allocate(owner("c1"))
        except BadConfig as refused:
            assert refused.code == 7
            assert not node.data.exists()
        leases.release(owner("c1"))
        assert leases.collect([]) == []


_NAMES = st.one_of(
    st.sampled_from(
        [
            *(f"10.1.0.{n}" for n in range(9)),
            "fd00::2",
            "fd00::0:3",
            "last_reserved_ip.0",
            "last_reserved_ip.1",
            ".dari-new",
            "a",
        ]
    ),
    st.text("0123456789abcdef.:", min_size=1, max_size=8).filter(lambda n: n not in (".", "..")),
)
_CONTENTS = st.one_of(
    st.binary(max_size=12),
    st.sampled_from([b"", b"c1", b"c1\r\neth0", b"c1\neth0\n", b"\0\0", b"10.1.0.6", b"fd00::5"]),
)


@settings(deadline=None, max_examples=150)
@given(st.dictionaries(_NAMES, _CONTENTS, max_size=12), st.lists(st.integers(0, 5), max_size=6))
def test_hostile_lease_files_change_no_rule(files: dict[str, bytes], calls: list[int]) -> None:
    ipam: dict[str, object] = {"ranges": [[{"subnet": "10.1.0.0/29"}], [{"subnet": "fd00::/124"}]]}
    with tempfile.TemporaryDirectory() as root:
        node = Node(Path(root))
        for name, content in files.items():
            node.put(name, content)
        foreign = {
            name: content
            for name, content in files.items()
            if content.strip(b"\0 \t\r\n")
            and not name.startswith((".", "l"))
            and getattr(parse_owner(content), "container_id", "") != "c1"
        }
        leases = node.leases(ipam)
        verbs: list[Callable[[], object]] = [
            lambda: leases.allocate(owner("c1")),
            lambda: leases.allocate(owner("c1"), addresses("10.1.0.3")),
            lambda: leases.release(owner("c1")),
            lambda: leases.check(owner("c1"), addresses("10.1.0.3")),
            lambda: leases.check(owner("c1"), ()),
            leases.status,
        ]
        for call in calls:
            try:
                verbs[call]()
            except DariError as refused:
                assert refused.code in (NoFreeAddress.code, NotAvailable.code, 102)
        leases.release(owner("c1"))
        leases.release(owner("c1"))  # one named by the container alone, if there were both
        left = {path.name: path.read_bytes() for path in node.folder.iterdir()} if files else {}
        assert {name: left.get(name) for name in foreign} == foreign
        assert not os.path.exists(node.folder / ".dari-new")
