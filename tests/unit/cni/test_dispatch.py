"""Calls as a runtime makes them: every verb in every version, every error with its code."""

from __future__ import annotations

import json
from itertools import product

import pytest

from dari import errors
from dari.cni.environment import REQUIRED
from dari.errors import DariError, KernelRefused, SeveralFailures
from dari.model import Interface, Result
from dari.result import SUPPORTED, encode_result
from tests.unit.cni.fake_plugin import RESULT
from tests.unit.cni.node import NEWEST, FakeHost, ask, config, environ

OWN_NAMESPACE = "/proc/thread-self/ns/net"
METHOD = {"ADD": "add", "DEL": "delete", "CHECK": "check", "GC": "collect", "STATUS": "status"}
# What each verb answers in each version: the plugin's method, or an error's code.
OUTCOMES: dict[tuple[str, str], object] = {
    **{("ADD", version): "add" for version in SUPPORTED},
    **{("DEL", version): "delete" for version in SUPPORTED},
    **{("CHECK", version): 1 for version in ("0.1.0", "0.2.0", "0.3.0", "0.3.1")},
    **{("CHECK", version): "check" for version in ("0.4.0", "1.0.0", "1.1.0")},
    **{(verb, version): 1 for verb in ("GC", "STATUS") for version in SUPPORTED[:-1]},
    ("GC", NEWEST): "collect",
    ("STATUS", NEWEST): "status",
    **{("VERSION", version): "versions" for version in SUPPORTED},
}


def test_every_verb_has_a_test_in_every_version() -> None:
    assert set(OUTCOMES) == set(product(REQUIRED, SUPPORTED))


@pytest.mark.parametrize(("verb", "version"), OUTCOMES)
def test_a_verb_in_a_version(verb: str, version: str) -> None:
    host = FakeHost()
    answer = ask(environ(verb), config(version), host)
    outcome = OUTCOMES[verb, version]
    if outcome == 1:
        assert answer.code == 1
        assert answer.said["cniVersion"] == version
        assert host.calls == []
    elif verb == "VERSION":
        assert answer.said == {"cniVersion": version, "supportedVersions": list(SUPPORTED)}
    else:
        assert answer.status == 0
        assert host.verbs == [outcome]
        assert answer.said == (encode_result(RESULT, version) if verb == "ADD" else None)


def test_what_a_plugin_is_told() -> None:
    host = FakeHost()
    ask(environ("ADD", CNI_ARGS="IP=10.22.0.9"), config("0.4.0", own="key"), host)
    [(_, request)] = host.calls
    assert (request.command, request.container_id, request.ifname) == ("ADD", "web1", "eth0")
    assert (request.netns, request.path) == ("/run/netns/not-there", ("/opt/cni/bin",))
    assert (request.args, request.conf.raw["own"]) == ({"IP": "10.22.0.9"}, "key")


@pytest.mark.parametrize(
    "stdin", [b"", b"not json", b'{"cniVersion": "9.9.9"}', b'{"cniVersion": 5}', b"[" * 9999]
)
def test_version_needs_no_configuration(stdin: bytes) -> None:
    answer = ask({"CNI_COMMAND": "VERSION"}, stdin)
    assert answer.status == 0
    assert answer.said == {"cniVersion": NEWEST, "supportedVersions": list(SUPPORTED)}


@pytest.mark.parametrize(
    ("name", "kind", "code"),
    [
        ("dari", "fake", 0),
        ("fake", "bridge", 0),
        ("fake", "", 0),
        ("fake", "nobody's", 0),
        ("renamed", "fake", 0),
        ("dari", "", 7),
        ("dari", "nobody's", 7),
        ("renamed", "flannel", 7),
    ],
)
def test_name_and_type_decide_the_plugin(name: str, kind: str, code: int) -> None:
    answer = ask(environ("DEL"), config(type=kind), name=name)
    assert answer.status == (1 if code else 0)
    if code:
        assert answer.code == code


def subclasses(kind: type[DariError]) -> list[type[DariError]]:
    return [kind, *(each for sub in kind.__subclasses__() for each in subclasses(sub))]


def example(kind: type[DariError]) -> DariError:
    if issubclass(kind, KernelRefused):
        return kind("add link cni0", 17, "exists")
    if issubclass(kind, SeveralFailures):
        return kind("GC of network mynet", [DariError("one")])
    return kind("what went wrong", "what to do")


@pytest.mark.parametrize(
    "kind", [kind for kind in subclasses(DariError) if kind.__module__ == errors.__name__]
)
@pytest.mark.parametrize("verb", METHOD)
def test_every_error_of_ours_is_told_with_its_code(verb: str, kind: type[DariError]) -> None:
    failure = example(kind)
    host = FakeHost(failure)
    answer = ask(environ(verb), config(), host)
    assert answer.code == kind.code
    assert answer.said["msg"] == failure.message
    assert answer.said["details"] == failure.details
    assert answer.log == ""
    assert host.verbs == [METHOD[verb]]


@pytest.mark.parametrize("verb", METHOD)
def test_what_nobody_foresaw_is_internal_and_its_traceback_is_logged(verb: str) -> None:
    answer = ask(environ(verb), config("1.1.0"), FakeHost(ZeroDivisionError("by zero")))
    assert answer.code == 999
    assert answer.said["msg"] == "ZeroDivisionError: by zero"
    assert answer.said["cniVersion"] == "1.1.0"
    assert "Traceback" in answer.log


def test_an_operating_systems_refusal_is_io() -> None:
    answer = ask(environ("DEL"), config(), FakeHost(PermissionError(13, "No", "/var/lib/x")))
    assert (answer.code, answer.said["msg"]) == (5, "No: /var/lib/x")


@pytest.mark.parametrize(
    ("stdin", "code"),
    [
        (b"", 6),
        (b"{", 6),
        (b"[]", 6),
        (b'{"name": "\xff"}', 6),
        (b'{"a": ' + b"[" * 5000, 6),
        (b'{"name": "a", "name": "b"}', 6),
        (b'{"mtu": NaN}', 6),
        (b"{}", 7),
        (b'{"name": 5}', 7),
        (b'{"name": "a b"}', 7),
        (b'{"name": "a", "cniVersion": 1}', 7),
        (b'{"name": "a", "cniVersion": "2.0.0"}', 1),
        (b'{"name": "a", "type": "nobody"}', 7),
        (b'{"name": "a", "ipam": []}', 7),
        (b'{"name": "a", "type": "fake", "prevResult": {"ip4": {"ip": "x"}}}', 6),
    ],
)
def test_a_wrong_configuration(stdin: bytes, code: int) -> None:
    host = FakeHost()
    assert ask(environ("ADD"), stdin, host).code == code
    assert host.calls == []


@pytest.mark.parametrize("version", SUPPORTED)
def test_an_error_is_told_in_the_configurations_version(version: str) -> None:
    answer = ask(environ("ADD"), config(version, name=""))
    assert (answer.code, answer.said["cniVersion"]) == (7, version)


def test_an_error_before_the_version_is_known_is_told_in_the_newest() -> None:
    assert ask(environ("ADD"), b"{").said["cniVersion"] == NEWEST
    assert ask({}, config("0.4.0")).said["cniVersion"] == NEWEST


@pytest.mark.parametrize("verb", ["ADD", "CHECK"])
def test_the_plugins_own_namespace_is_refused(verb: str) -> None:
    host = FakeHost()
    assert ask(environ(verb, CNI_NETNS=OWN_NAMESPACE), config(), host).code == 8
    assert host.calls == []


def test_a_del_with_the_plugins_own_namespace_clears_all_but_that() -> None:
    """As the Go skeleton does, which calls the plugin and then refuses; ours stays outside."""
    host = FakeHost()
    assert ask(environ("DEL", CNI_NETNS=OWN_NAMESPACE), config(), host).code == 8
    [(verb, request)] = host.calls
    assert (verb, request.netns) == ("delete", "")


@pytest.mark.parametrize("verb", ["ADD", "CHECK", "DEL"])
def test_the_plugins_own_namespace_may_be_meant(verb: str) -> None:
    host = FakeHost()
    variables = environ(verb, CNI_NETNS=OWN_NAMESPACE, CNI_NETNS_OVERRIDE="1")
    assert ask(variables, config(), host).status == 0
    assert host.calls[0][1].netns == OWN_NAMESPACE


@pytest.mark.parametrize("netns", ["", "/run/netns/gone", "/dev/null", "relative", "/etc"])
def test_a_del_takes_any_namespace(netns: str) -> None:
    assert ask(environ("DEL", CNI_NETNS=netns), config()).status == 0


@pytest.mark.parametrize("version", SUPPORTED)
def test_a_result_that_cannot_be_said_is_taken_back(version: str) -> None:
    host = FakeHost(result=Result(interfaces=(Interface(name="eth0"),)))
    answer = ask(environ("ADD"), config(version), host)
    if version in SUPPORTED[:2]:
        assert answer.code == 1
        assert host.verbs == ["add", "delete"]
    else:
        assert (answer.status, host.verbs) == (0, ["add"])


def test_the_answer_is_one_line_of_ascii() -> None:
    host = FakeHost(DariError("누군가 다리를 끊었다"))
    answer = ask(environ("ADD"), config(), host)
    assert answer.said["msg"] == "누군가 다리를 끊었다"
    assert json.dumps(answer.said).isascii()
