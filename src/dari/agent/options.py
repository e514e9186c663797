"""The agent's settings: one table for the command line and for the file.

Each option has the same name in both: ``--node-address`` and ``node-address``.
The command line wins over ``/etc/dari/agent.toml``, and that over the defaults.

May import: errors, record.
"""

from __future__ import annotations

import tomllib
from argparse import Action, ArgumentParser, BooleanOptionalAction, Namespace
from collections.abc import Callable, Mapping
from difflib import get_close_matches

from dari.agent.messages import _
from dari.errors import BadConfig
from dari.language import N_
from dari.record import Record

DEFAULT_FILE = "/etc/dari/agent.toml"
TEXT, LIST, NUMBER, SWITCH = "TEXT", "LIST", "NUMBER", "SWITCH"


class Option(Record):
    """One setting.

    Attributes:
        kind: TEXT, LIST (the flag may be given several times), NUMBER or SWITCH.
        metavar: stands for the value in the help.
    """

    name: str
    kind: str
    help: str
    metavar: str = ""


class Given(Record):
    """A setting as somebody gave it; `label` names it in errors."""

    value: object
    label: str


Settings = Mapping[str, Given]

OPTIONS = (
    Option(
        name="node-name", kind=TEXT, metavar="NAME", help=N_("unique in the cluster (host name)")
    ),
    Option(name="role", kind=TEXT, metavar="ROLE", help=N_("node, or router: routes but no pods")),
    Option(
        name="node-address",
        kind=LIST,
        metavar="ADDRESS",
        help=N_("where peers reach this node; one of each family"),
    ),
    Option(
        name="interface",
        kind=TEXT,
        metavar="LINK",
        help=N_("the link that holds the node's addresses"),
    ),
    Option(
        name="pod-range",
        kind=LIST,
        metavar="PREFIX",
        help=N_("this node's pods; without it, a range is allotted from the cluster ranges"),
    ),
    Option(
        name="cluster-range",
        kind=LIST,
        metavar="PREFIX",
        help=N_("all nodes' pods (10.244.0.0/16)"),
    ),
    Option(
        name="ipv6", kind=SWITCH, help=N_("IPv6 as well: fd00:10:244::/56, unless a range is given")
    ),
    Option(
        name="range-size-v4",
        kind=NUMBER,
        metavar="LENGTH",
        help=N_("prefix length of a node's IPv4 range (24)"),
    ),
    Option(
        name="range-size-v6",
        kind=NUMBER,
        metavar="LENGTH",
        help=N_("prefix length of a node's IPv6 range (64)"),
    ),
    Option(
        name="store",
        kind=TEXT,
        metavar="KIND",
        help=N_("where nodes' records are kept: local, etcd or kubernetes (local)"),
    ),
    Option(
        name="store-dir",
        kind=TEXT,
        metavar="FOLDER",
        help=N_("folder of the local store (/var/lib/dari/store)"),
    ),
    Option(
        name="store-grace",
        kind=NUMBER,
        metavar="SECONDS",
        help=N_(
            "keep nodes that a store has lost, emptied or restored from a backup, so long (600)"
        ),
    ),
    Option(
        name="etcd-endpoint",
        kind=LIST,
        metavar="URL",
        help=N_("a member of the etcd store (http://127.0.0.1:2379)"),
    ),
    Option(
        name="etcd-prefix",
        kind=TEXT,
        metavar="KEY",
        help=N_("before all keys of the etcd store (/dari)"),
    ),
    Option(
        name="etcd-ca",
        kind=TEXT,
        metavar="FILE",
        help=N_("who signs etcd's certificates (whom the machine trusts)"),
    ),
    Option(
        name="etcd-cert",
        kind=TEXT,
        metavar="FILE",
        help=N_("this node's certificate for etcd (none)"),
    ),
    Option(
        name="etcd-key",
        kind=TEXT,
        metavar="FILE",
        help=N_("the key of that certificate (in the same file)"),
    ),
    Option(
        name="etcd-user", kind=TEXT, metavar="NAME", help=N_("log in to etcd as this user (none)")
    ),
    Option(
        name="etcd-password-file",
        kind=TEXT,
        metavar="FILE",
        help=N_("holds that user's password on its first line (none)"),
    ),
    Option(
        name="kubeconfig",
        kind=TEXT,
        metavar="FILE",
        help=N_("how the kubernetes store is reached (the pod's service account)"),
    ),
    Option(
        name="kube-context",
        kind=TEXT,
        metavar="NAME",
        help=N_("a context of that kubeconfig (its current one)"),
    ),
    Option(
        name="backend",
        kind=TEXT,
        metavar="KIND",
        help=N_("how nodes reach each other's pods: direct, vxlan, auto, bgp or flannel (direct)"),
    ),
    Option(
        name="vxlan-vni",
        kind=NUMBER,
        metavar="NUMBER",
        help=N_("the tunnel's network number (79; flannel: 1)"),
    ),
    Option(
        name="vxlan-port",
        kind=NUMBER,
        metavar="PORT",
        help=N_("the tunnel's UDP port (4789; flannel: 8472)"),
    ),
    Option(
        name="direct-routing",
        kind=SWITCH,
        help=N_("with vxlan: no tunnel to nodes on the same segment, as auto does (no)"),
    ),
    Option(
        name="vxlan-offload",
        kind=TEXT,
        metavar="WHEN",
        help=N_("leave the tunnel's checksums to the hardware: on, off, or auto, by kernel (auto)"),
    ),
    Option(name="bgp-as", kind=NUMBER, metavar="NUMBER", help=N_("this node's AS (64512)")),
    Option(
        name="bgp-peer",
        kind=LIST,
        metavar="ADDRESS[@AS]",
        help=N_("a router to peer with, in place of all nodes; without AS: of the same"),
    ),
    Option(
        name="bgp-mesh",
        kind=SWITCH,
        help=N_("peer with every node (yes, unless a bgp-peer is given)"),
    ),
    Option(
        name="bird-conf",
        kind=TEXT,
        metavar="FILE",
        help=N_("where BIRD's own configuration includes dari's part from (/etc/bird/dari.conf)"),
    ),
    Option(
        name="bird-socket",
        kind=TEXT,
        metavar="SOCKET",
        help=N_("BIRD's control socket (/run/bird/bird.ctl)"),
    ),
    Option(
        name="write-subnet-env",
        kind=TEXT,
        metavar="FILE",
        help=N_("write what flannel writes for others to read, such as /run/flannel/subnet.env"),
    ),
    Option(
        name="conf-dir",
        kind=TEXT,
        metavar="FOLDER",
        help=N_("where the runtime looks for network configurations (/etc/cni/net.d)"),
    ),
    Option(name="bridge", kind=TEXT, metavar="LINK", help=N_("the bridge that pods are on (cni0)")),
    Option(
        name="mtu", kind=NUMBER, metavar="BYTES", help=N_("of pods and bridge (the underlay's)")
    ),
    Option(
        name="masquerade",
        kind=SWITCH,
        help=N_("masquerade what pods send out of the cluster (yes)"),
    ),
    Option(
        name="check-every",
        kind=NUMBER,
        metavar="SECONDS",
        help=N_("compare everything this often, besides on events (10)"),
    ),
    Option(
        name="gc-grace",
        kind=NUMBER,
        metavar="SECONDS",
        help=N_("clear a pod whose namespace is gone and whose DEL never came, after so long (60)"),
    ),
    Option(
        name="metrics-listen",
        kind=TEXT,
        metavar="ADDRESS:PORT",
        help=N_("metrics, health and readiness over HTTP; off for none (127.0.0.1:9473)"),
    ),
    Option(
        name="log-level",
        kind=TEXT,
        metavar="LEVEL",
        help=N_("how much is logged: debug, info, warning, error (info)"),
    ),
)


def declare(parser: ArgumentParser, names: tuple[str, ...] = ()) -> None:
    """Declare ``--config`` and the options of these names (none: all of them)."""
    parser.add_argument(
        "--config", metavar="FILE", help=_("settings as TOML ({file})").format(file=DEFAULT_FILE)
    )
    for option in OPTIONS:
        if not names or option.name in names:
            _DECLARE[option.kind](parser, option)


def _text(parser: ArgumentParser, option: Option) -> Action:
    return parser.add_argument(f"--{option.name}", metavar=option.metavar, help=_(option.help))


def _list(parser: ArgumentParser, option: Option) -> Action:
    return parser.add_argument(
        f"--{option.name}",
        action="append",
        metavar=option.metavar,
        help=_("{help}; may be repeated").format(help=_(option.help)),
    )


def _switch(parser: ArgumentParser, option: Option) -> Action:
    return parser.add_argument(
        f"--{option.name}", action=BooleanOptionalAction, default=None, help=_(option.help)
    )


_DECLARE: Mapping[str, Callable[[ArgumentParser, Option], Action]] = {
    TEXT: _text,
    LIST: _list,
    NUMBER: _text,
    SWITCH: _switch,
}


def gather(arguments: Namespace) -> Settings:
    """What the command line and the file say, the command line first.

    Raises:
        BadConfig: the file is no TOML, has an unknown key, or was named and is
            not there.
    """
    path = getattr(arguments, "config", None)
    return {**_from_file(path), **_from_flags(arguments)}


def _from_flags(arguments: Namespace) -> dict[str, Given]:
    found: dict[str, Given] = {}
    for option in OPTIONS:
        value = getattr(arguments, option.name.replace("-", "_"), None)
        if value is not None:
            found[option.name] = Given(value=value, label=f"--{option.name}")
    return found


def _from_file(named: str | None) -> dict[str, Given]:
    path = named or DEFAULT_FILE
    try:
        with open(path, "rb") as stream:
            content = stream.read(1 << 20)
    except FileNotFoundError:
        if named is None:
            return {}
        raise BadConfig(_("--config: there is no file {path}").format(path=path)) from None
    except OSError as error:
        raise BadConfig(f"read {path}: {error.strerror}") from None
    return parse_file(content, path)


def parse_file(content: bytes, path: str) -> dict[str, Given]:
    """Read a settings file; `path` names it in errors.

    Raises:
        BadConfig: it is no TOML, or has a key that is no option.
    """
    try:
        document = tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:
        raise BadConfig(_("{path}: not TOML: {error}").format(path=path, error=error)) from None
    names = [option.name for option in OPTIONS]
    for key in document:
        if key not in names:
            near = get_close_matches(key, names, n=1)
            hint = (
                _("did you mean {name!r}?").format(name=near[0])
                if near
                else _("there are: {names}").format(names=", ".join(names))
            )
            raise BadConfig(_("{path}: {key}: no such option").format(path=path, key=key), hint)
    return {key: Given(value=value, label=f"{path}: {key}") for key, value in document.items()}
