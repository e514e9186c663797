"""What is remembered of configurations, and what is not."""

from __future__ import annotations

from dari.agent.recall import Recall
from dari.model import NetConf, NetworkName


def conf(name: str = "net") -> NetConf:
    return NetConf(cni_version="1.0.0", name=NetworkName(name), type="bridge", raw={})


def test_a_configuration_is_known_by_all_of_its_bytes_and_the_verb() -> None:
    recall, known = Recall(), conf()
    recall.keep(b"{}", "ADD", known)
    assert recall.find(b"{}", "ADD") is known
    assert recall.find(b"{} ", "ADD") is None
    assert recall.find(b"{}", "DEL") is None


def test_what_follows_from_a_remembered_configuration_is_made_once() -> None:
    recall, known, made = Recall(), conf(), iter([1])
    recall.keep(b"{}", "ADD", known)
    for _ in range(3):
        assert recall.derive(known, "ranges", lambda: next(made)) == 1
    assert recall.derive(known, "routes", lambda: "others") == "others"


def test_what_follows_from_an_equal_but_other_configuration_is_made_anew() -> None:
    recall, known = Recall(), conf()
    recall.keep(b"{}", "ADD", known)
    assert recall.derive(known, "ranges", lambda: 1) == 1
    assert recall.derive(conf(), "ranges", lambda: 2) == 2


def test_memory_is_bounded() -> None:
    recall, long = Recall(), b" " * 20000
    recall.keep(long, "ADD", conf())
    assert recall.find(long, "ADD") is None
    for number in range(1000):
        recall.keep(b"%d" % number, "ADD", conf())
    assert recall.find(b"999", "ADD") is not None
    assert sum(recall.find(b"%d" % number, "ADD") is not None for number in range(1000)) <= 64
