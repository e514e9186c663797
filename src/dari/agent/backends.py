"""What the agent is told of its routing backend: settings in, one record out.

May import: addr, errors, model, netlink, record, routing, agent.reader.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dari.addr import parse_address
from dari.agent.messages import _
from dari.errors import BadConfig
from dari.record import Record
from dari.routing import flannel, vxlan
from dari.routing.bird import Bgp, Neighbour
from dari.routing.desired import BACKENDS
from dari.routing.kernels import spoils_checksums
from dari.routing.peer import (
    AUTO,
    BGP,
    DIRECT,
    FLANNEL,
    LARGEST_AS,
    LARGEST_PORT,
    LARGEST_VNI,
    VXLAN,
    Speech,
)
from dari.routing.way import FLANNEL_PORT, FLANNEL_VNI, PORT, VNI, Overlay

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dari.agent.reader import Reader
    from dari.netlink.link import Link

BIRD_CONF = "/etc/bird/dari.conf"
BIRD_SOCKET = "/run/bird/bird.ctl"
_ON, _OFF, _BY_KERNEL = "on", "off", "auto"


class BackendConfig(Record):
    """The agent's orders about its backend.

    Attributes:
        overlay: which, and its tunnel's settings.
        bgp: sessions, of which only the backend bgp has any.
        bird_conf, bird_socket: where BIRD is.
        subnet_env: a file's path; empty: none is written.
    """

    overlay: Overlay = Overlay()
    bgp: Bgp = Bgp()
    bird_conf: str = BIRD_CONF
    bird_socket: str = BIRD_SOCKET
    subnet_env: str = ""

    @property
    def has_tunnel(self) -> bool:
        """Does it make vxlan devices?"""
        return self.overlay.type in (VXLAN, AUTO, FLANNEL)

    @property
    def any_underlay(self) -> bool:
        """Do pods of one family reach each other over nodes' addresses of another?"""
        return self.overlay.type in (VXLAN, AUTO)


def read_backend(reader: Reader, mtu: int, kernel: str) -> BackendConfig:
    """Validate the settings above and fill in what they leave out.

    Args:
        mtu: of the pods, as given; 0: by the underlay.
        kernel: the running kernel's release, such as ``6.1.0-18-amd64``.

    Raises:
        BadConfig: it names the option and where it was given.
    """
    return BackendConfig(
        overlay=_overlay(reader, mtu, kernel),
        bgp=_bgp(reader),
        bird_conf=reader.path("bird-conf") or BIRD_CONF,
        bird_socket=reader.path("bird-socket") or BIRD_SOCKET,
        subnet_env=reader.path("write-subnet-env"),
    )


def _overlay(reader: Reader, mtu: int, kernel: str) -> Overlay:
    kind = reader.choice("backend", tuple(BACKENDS), DIRECT)
    if reader.switch("direct-routing", False):
        if kind not in (VXLAN, AUTO):
            raise BadConfig(
                _("{label}: backend {kind} has no tunnel of its own").format(
                    label=reader.label("direct-routing"), kind=kind
                )
            )
        kind = AUTO
    vni, port = (FLANNEL_VNI, FLANNEL_PORT) if kind == FLANNEL else (VNI, PORT)
    when = reader.choice("vxlan-offload", (_BY_KERNEL, _ON, _OFF))
    return Overlay(
        type=kind,
        vni=int(reader.number("vxlan-vni", vni, set(), 1, LARGEST_VNI)),
        port=int(reader.number("vxlan-port", port, set(), 1, LARGEST_PORT)),
        offload=when == _ON or (when == _BY_KERNEL and not spoils_checksums(kernel)),
        mtu=mtu,
    )


def _bgp(reader: Reader) -> Bgp:
    own = int(reader.number("bgp-as", Bgp().as_number, set(), 1, LARGEST_AS))
    neighbours = tuple(
        each if each.as_number else each.replace(as_number=own)
        for each in reader.each("bgp-peer", parse_neighbour)
    )
    return Bgp(as_number=own, neighbours=neighbours, mesh=reader.switch("bgp-mesh", not neighbours))


def own_speech(config: BackendConfig, node_name: str, links: Iterable[Link]) -> Speech:
    """What this node's record says of its backend.

    Args:
        links: those of the node; flannel's tunnels among them keep their MACs.
    """
    overlay, mac = config.overlay, vxlan.mac_of_node(node_name)
    if overlay.type == FLANNEL:
        macs = {link.name: link.mac for link in links if link.kind == "vxlan"}
        return flannel.speech(overlay, macs, mac)
    if overlay.type == BGP:
        return Speech(type=BGP, as_number=config.bgp.as_number)
    return vxlan.speech(overlay, mac) if config.any_underlay else Speech(type=overlay.type)


def parse_neighbour(value: object, label: str) -> Neighbour:
    """Read ``ADDRESS`` or ``ADDRESS@AS``; AS 0 stands for the own one.

    Raises:
        BadConfig: it is neither.
    """
    if not isinstance(value, str):
        raise BadConfig(
            _("{label}: {value!r} is not ADDRESS, nor ADDRESS@AS").format(label=label, value=value)
        )
    address, at, number = value.partition("@")
    if at and not (number.isdecimal() and 0 < int(number) <= LARGEST_AS):
        raise BadConfig(
            _("{label}: {value!r}: {number!r} is not an AS number").format(
                label=label, value=value, number=number
            )
        )
    return Neighbour(address=parse_address(address, label), as_number=int(number or 0))
