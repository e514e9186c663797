"""What `dari add`, `dari del` and `dari check` share: whom they are about, and how it is shown.

May import: errors, jsontext, model, paths, result, cni.
"""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from contextlib import suppress

from dari.cli.messages import _
from dari.cni.runtime import cache, confdir, conflist
from dari.cni.runtime.cache import Attachment
from dari.cni.runtime.chain import Chain
from dari.cni.runtime.conflist import NetworkList
from dari.errors import BadEnvironment, DariError
from dari.jsontext import decode
from dari.model import ContainerId, InterfaceName, Owner, Result
from dari.paths import Paths

NAMESPACES = "/run/netns"  # where `ip netns add` puts them
CONF_DIR = "/etc/cni/net.d"
BIN_DIR = "/opt/cni/bin"


def configure(parser: ArgumentParser, *, netns_optional: bool = False) -> None:
    """Declare container, namespace, and where a runtime's things are."""
    parser.add_argument("container", metavar="CONTAINER", help=_("the container's id"))
    parser.add_argument(
        "netns",
        metavar="NETNS",
        nargs="?" if netns_optional else None,
        default="",
        help=_("its network namespace: a name that `ip netns` knows, or a path"),
    )
    parser.add_argument("--ifname", default="eth0", help=_("the interface in it (%(default)s)"))
    parser.add_argument(
        "--conf-dir",
        default=CONF_DIR,
        metavar="DIR",
        help=_("network configurations (%(default)s)"),
    )
    parser.add_argument(
        "--bin-dir",
        action="append",
        metavar="DIR",
        help=_("plugins' executables; may be given several times ({bin_dir})").format(
            bin_dir=BIN_DIR
        ),
    )


def attachment_of(arguments: Namespace) -> Attachment:
    """The attachment that the command line describes."""
    return Attachment(
        container_id=ContainerId(arguments.container),
        ifname=InterfaceName(arguments.ifname),
        netns=namespace_path(arguments.netns),
    )


def namespace_path(given: str) -> str:
    """A name as `ip netns` knows it becomes its path; a path stays one."""
    return given if "/" in given or not given else f"{NAMESPACES}/{given}"


def chain_of(arguments: Namespace, network: NetworkList) -> Chain:
    """The network's plugins, ready to run."""
    return Chain(
        network,
        folders=arguments.bin_dir or [BIN_DIR],
        results=Paths().results,
        environ=os.environ,
    )


def known(owner: Owner) -> list[tuple[NetworkList, Attachment]]:
    """The networks that an interface was attached to, as their files read at that time.

    A cached one that cannot be read any more counts as not known.
    """
    found = []
    for cached in cache.list_cached(Paths().results):
        if cached.attachment.owner == owner:
            with suppress(DariError):
                network = conflist.read_list(decode(cached.config, "cached configuration"))
                found.append((network, cached.attachment))
    return found


def known_or_chosen(arguments: Namespace) -> list[tuple[NetworkList, Attachment]]:
    """What DEL is about: the networks that `known` finds, or the one of the folder.

    The namespace given takes the place of the one remembered.
    """
    wanted = attachment_of(arguments)
    found = known(wanted.owner) or [(confdir.choose(arguments.conf_dir), wanted)]
    if not wanted.netns:
        return found
    return [(network, attachment.replace(netns=wanted.netns)) for network, attachment in found]


def parse_pairs(given: list[str]) -> tuple[tuple[str, str], ...]:
    """``K=V`` words for CNI_ARGS, which every plugin may pass by if it does not know them.

    Raises:
        BadEnvironment: a word is no pair.
    """
    pairs = []
    for word in given:
        key, equals, value = word.partition("=")
        if not key or not equals or set(";=") & set(value) or ";" in key:
            raise BadEnvironment(
                _("--args: {word!r} is not KEY=VALUE, without ';' in it").format(word=word)
            )
        pairs.append((key, value))
    return (("IgnoreUnknown", "1"), *pairs) if pairs else ()


def describe(result: Result, attachment: Attachment, network: NetworkList) -> str:
    """A result in two lines for people: the container's side, and the host's."""
    addresses = [
        _("{address} by way of {gateway}").format(address=ip.address, gateway=ip.gateway)
        if ip.gateway
        else str(ip.address)
        for ip in result.ips
    ]
    host = [link.name for link in result.interfaces if not link.sandbox]
    return _(
        "{ifname} in {container}: {addresses}\nnetwork {network}, on the host: {links}"
    ).format(
        ifname=attachment.ifname,
        container=attachment.container_id,
        addresses=", ".join(addresses) or _("no address"),
        network=network.name,
        links=", ".join(host) or _("nothing"),
    )
