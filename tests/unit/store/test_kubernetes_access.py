"""Kubeconfigs and service accounts, good and bad."""

from __future__ import annotations

import json
import tempfile
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dari.errors import BadConfig
from dari.store.base import Unreachable
from dari.store.kubernetes.access import in_cluster, read_kubeconfig
from dari.store.kubernetes.nodes import RECORD, entry_of, network_is_up, pod_cidrs
from dari.store.remote.tls import Contexts, Material, Tls, make_context
from tests.support.certificates import authority, issued

YAML = """
apiVersion: v1
kind: Config
current-context: blue
contexts:
- {name: blue, context: {cluster: c1, user: u1, namespace: x}}
- {name: red, context: {cluster: c2, user: u2}}
clusters:
- name: c1
  cluster:
    server: https://10.0.0.1:6443
    certificate-authority: pki/ca.crt
- name: c2
  cluster:
    server: "https://red.example/k8s/"
    insecure-skip-tls-verify: true
    tls-server-name: kube
users:
- name: u1
  user: {client-certificate: /pki/u.crt, client-key: /pki/u.key}
- name: u2
  user: {tokenFile: token}
"""


def config(tmp_path: Path, cluster: dict[str, Any], user: dict[str, Any]) -> str:
    path = tmp_path / "config"
    document = {
        "current-context": "x",
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        "clusters": [{"name": "x", "cluster": cluster}],
        "users": [{"name": "x", "user": user}],
    }
    path.write_text(json.dumps(document))
    return str(path)


def test_a_kubeconfig_in_yaml_with_its_current_context(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(YAML)
    access = read_kubeconfig(str(path))
    assert str(access.target) == "https://10.0.0.1:6443"
    assert access.tls.ca == Material(path=str(tmp_path / "pki/ca.crt"))
    assert (access.tls.cert.path, access.tls.key.path) == ("/pki/u.crt", "/pki/u.key")


def test_another_context_may_be_chosen_and_files_are_beside_the_kubeconfig(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(YAML)
    (tmp_path / "token").write_text(" a-token\n")
    access = read_kubeconfig(str(path), "red")
    assert str(access.target) == "https://red.example:443/k8s"
    assert (access.tls.verify, access.tls.server_name) == (False, "kube")
    assert access.bearer() == "a-token"
    with pytest.raises(BadConfig, match="no context 'green'; there are: blue, red"):
        read_kubeconfig(str(path), "green")


def test_certificates_may_stand_in_the_kubeconfig(tmp_path: Path) -> None:
    ca = authority(tmp_path)
    cert, key = issued(tmp_path, ca, "user")
    data = {path: b64encode(path.read_bytes()).decode() for path in (ca[0], cert, key)}
    path = config(
        tmp_path,
        {"server": "https://h", "certificate-authority-data": data[ca[0]]},
        {"client-certificate-data": data[cert], "client-key-data": data[key]},
    )
    make_context(read_kubeconfig(path).tls)


@pytest.mark.parametrize(
    ("cluster", "user", "message"),
    [
        ({}, {}, "server: None is not a URL"),
        ({"server": "https://h", "proxy-url": "http://p"}, {}, "proxy-url is not supported"),
        ({"server": "https://h"}, {"exec": {"command": "aws"}}, "credentials (exec) is not supp"),
        ({"server": "https://h"}, {"auth-provider": {"name": "gcp"}}, "auth-provider is not"),
        ({"server": "https://h"}, {"username": "a", "password": "b"}, "user name with a password"),
        ({"server": "https://h"}, {"as": "root"}, "acting as another user"),
        ({"server": "https://h"}, {"token": 5}, "token: not a string"),
        ({"server": "https://h", "certificate-authority-data": "%"}, {}, "not base64 of PEM"),
    ],
)
def test_what_is_not_supported_is_said_so(
    tmp_path: Path, cluster: dict[str, Any], user: dict[str, Any], message: str
) -> None:
    path = config(tmp_path, cluster, user)
    with pytest.raises(BadConfig) as caught:
        read_kubeconfig(path)
    assert caught.value.message.startswith(f"{path}: ")
    assert message in caught.value.message


@pytest.mark.parametrize("text", ["", "[]", "5", ": :", "a: [", "!!python/object:os.x {}", "\0"])
def test_what_is_no_kubeconfig_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(BadConfig, match=str(path)):
        read_kubeconfig(str(path))


@given(
    st.recursive(
        st.none() | st.booleans() | st.text(max_size=5) | st.just("x"),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["current-context", "contexts", "clusters", "users", "name", "user"]
                )
                | st.sampled_from(["context", "cluster", "server", "token"]),
                inner,
                max_size=5,
            )
        ),
        max_leaves=20,
    )
)
@settings(max_examples=150, deadline=None)
def test_a_hostile_kubeconfig_is_an_error_of_ours(document: object) -> None:
    with tempfile.NamedTemporaryFile("w") as stream:
        json.dump(document, stream)
        stream.flush()
        try:
            read_kubeconfig(stream.name)
        except BadConfig as error:
            assert stream.name in error.message


def test_a_pod_without_a_service_account_is_told_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(BadConfig) as caught:
        in_cluster({}, str(tmp_path))
    assert "--kubeconfig" in caught.value.details


def test_a_rotated_certificate_is_taken_up(tmp_path: Path) -> None:
    ca = authority(tmp_path)
    contexts = Contexts(Tls(ca=Material(path=str(ca[0]))))
    first = contexts.current()
    assert contexts.current() is first
    other = authority(tmp_path, "other")
    ca[0].write_bytes(other[0].read_bytes())
    assert contexts.current() is not first


@pytest.mark.parametrize("content", ["", "no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_a_file_that_is_no_certificate_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "ca.pem"
    path.write_text(content)
    with pytest.raises(BadConfig, match=str(path)):
        make_context(Tls(ca=Material(path=str(path))))
    with pytest.raises(BadConfig, match="No such file"):
        make_context(Tls(cert=Material(path="/nowhere.pem")))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["metadata", "spec", "status", "name", "annotations", "resourceVersion"]
            )
            | st.sampled_from(["podCIDR", "podCIDRs", "conditions", "type", RECORD, "uid"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)


@given(JSON, JSON)
@settings(max_examples=300, deadline=None)
def test_a_hostile_node_is_an_entry_or_an_error_of_ours(spec: object, annotations: object) -> None:
    node = {
        "metadata": {"name": "node1", "resourceVersion": "7", "annotations": annotations},
        "spec": spec,
        "status": spec,
    }
    entry = entry_of(node)
    assert (entry.name, entry.revision) == ("node1", 7)
    network_is_up(node)


@given(JSON)
@settings(max_examples=200, deadline=None)
def test_what_is_no_node_is_refused(node: object) -> None:
    thing = node if isinstance(node, dict) else {"metadata": node}
    try:
        entry_of(thing)
    except Unreachable as error:
        assert error.message.startswith("kubernetes: ")


def test_several_ranges_of_a_family_are_all_taken() -> None:
    spec = {"podCIDR": "10.1.0.0/24", "podCIDRs": ["10.1.0.0/24", "10.2.0.0/24", "fd00::/64"]}
    assert [str(each) for each in pod_cidrs({"spec": spec})] == spec["podCIDRs"]
    assert [str(each) for each in pod_cidrs({"spec": {"podCIDR": "10.1.0.0/24"}})] == [
        "10.1.0.0/24"
    ]
    assert pod_cidrs({}) == ()
