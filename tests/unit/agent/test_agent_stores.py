from __future__ import annotations

import json
from pathlib import Path

import pytest

from dari.agent.config import STORES as NAMES
from dari.agent.config import AgentConfig, read_config
from dari.agent.options import Given
from dari.agent.stores import STORES, open_store
from dari.errors import BadConfig
from dari.paths import Paths
from dari.store.etcd.store import EtcdStore
from dari.store.kubernetes.store import KubernetesStore
from dari.store.local import LocalStore


def configured(**given: object) -> AgentConfig:
    settings = {
        name.replace("_", "-"): Given(value=value, label=f"--{name.replace('_', '-')}")
        for name, value in given.items()
    }
    return read_config(settings, Paths(), "node1")


def test_every_store_that_may_be_named_can_be_opened() -> None:
    assert tuple(STORES) == NAMES


def test_without_options_the_store_is_a_folder_and_etcd_is_on_this_machine(tmp_path: Path) -> None:
    assert isinstance(open_store(configured(), {}), LocalStore)
    assert isinstance(open_store(configured(store="etcd"), {}), EtcdStore)


def test_a_kubeconfig_opens_kubernetes(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(
        json.dumps(
            {
                "current-context": "here",
                "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
                "clusters": [{"name": "c", "cluster": {"server": "https://10.0.0.1:6443"}}],
                "users": [{"name": "u", "user": {"token": "t"}}],
            }
        )
    )
    config = configured(store="kubernetes", kubeconfig=str(path))
    assert isinstance(open_store(config, {}), KubernetesStore)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"etcd_endpoint": ["ftp://x"]}, "--etcd-endpoint: 'ftp://x' is not a URL"),
        ({"etcd_endpoint": ["http://h:99999"]}, "--etcd-endpoint"),
        ({"etcd_endpoint": ["http://u:p@h"]}, "--etcd-endpoint"),
        ({"etcd_ca": "/ca.pem"}, "an endpoint is http, not https"),
        ({"etcd_endpoint": ["https://h"], "etcd_key": "/k"}, "there is no --etcd-cert"),
        ({"etcd_user": "dari"}, "give both or none"),
        ({"store": "kubernetes"}, "not inside a pod"),
        ({"store": "kubernetes", "kube_context": "x"}, "there is no --kubeconfig"),
        ({"store": "kubernetes", "kubeconfig": "/nowhere"}, "--kubeconfig: /nowhere: No such"),
    ],
)
def test_options_that_do_not_fit_together_are_named(given: dict[str, object], message: str) -> None:
    with pytest.raises(BadConfig) as caught:
        open_store(configured(**{"store": "etcd", **given}), {})
    assert message in caught.value.message
