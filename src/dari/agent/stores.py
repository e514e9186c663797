"""Opens the store that the configuration names.

Each is imported only where it is used: TLS, HTTP and YAML are memory that an agent
with a folder for a store has no use for.

May import: errors, store, agent.config.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from dari.agent.config import AgentConfig
from dari.agent.messages import _
from dari.errors import BadConfig
from dari.store.base import Store

Environ = Mapping[str, str]


def open_store(config: AgentConfig, environ: Environ) -> Store:
    """The store that the configuration names; nothing is asked of it yet.

    Args:
        config: names the store and how it is reached.
        environ: tells a pod where the API server is.

    Raises:
        BadConfig: options of the store do not fit together, or a file is missing.
    """
    return STORES[config.store](config, environ)


def _local(config: AgentConfig, _environ: Environ) -> Store:
    from dari.store.local import LocalStore

    return LocalStore(config.store_dir)


def _etcd(config: AgentConfig, _environ: Environ) -> Store:
    from dari.store.etcd.api import EtcdSettings
    from dari.store.etcd.store import EtcdStore
    from dari.store.remote.connection import parse_target
    from dari.store.remote.tls import Material, Tls

    targets = tuple(parse_target(each, "--etcd-endpoint", 2379) for each in config.etcd_endpoints)
    files = [Material(path=each) for each in (config.etcd_ca, config.etcd_cert, config.etcd_key)]
    if any(files) and any(each.scheme == "http" for each in targets):
        raise BadConfig(_("--etcd-ca, --etcd-cert, --etcd-key: an endpoint is http, not https"))
    if files[2] and not files[1]:
        raise BadConfig(_("--etcd-key: there is no --etcd-cert"))
    if bool(config.etcd_user) != bool(config.etcd_password_file):
        raise BadConfig(_("--etcd-user and --etcd-password-file: give both or none"))
    return EtcdStore(
        EtcdSettings(
            endpoints=targets,
            prefix=config.etcd_prefix,
            tls=Tls(ca=files[0], cert=files[1], key=files[2]),
            user=config.etcd_user,
            password_file=config.etcd_password_file,
        )
    )


def _kubernetes(config: AgentConfig, environ: Environ) -> Store:
    from dari.store.kubernetes.access import in_cluster, read_kubeconfig
    from dari.store.kubernetes.store import KubernetesStore

    if config.kube_context and not config.kubeconfig:
        raise BadConfig(_("--kube-context: there is no --kubeconfig"))
    if config.kubeconfig:
        return KubernetesStore(read_kubeconfig(config.kubeconfig, config.kube_context))
    return KubernetesStore(in_cluster(environ))


STORES: Mapping[str, Callable[[AgentConfig, Environ], Store]] = {
    "local": _local,
    "etcd": _etcd,
    "kubernetes": _kubernetes,
}
