"""Decides what a pod gets, from its configuration and its leases: pure.

May import: addr, errors, model, netlink's data, record, wiring.conf.
"""

from __future__ import annotations

from ipaddress import ip_interface

from dari.addr import default_route, host_prefix, mac_of
from dari.errors import BadConfig
from dari.model import Route
from dari.netlink.route import KernelRoute
from dari.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from dari.model import IPAddress, IPConfig, IPInterface, IPNetwork
    from dari.wiring.conf import BridgeConf

_CONTAINER_END = 2  # its place in a bridge's result: bridge, host end, container end
_POINT_TO_POINT_END = 1  # host end, container end
_SCOPE_LINK = 253


class Plan(Record):
    """What will be wired: addresses with their gateways, routes, the bridge's own addresses.

    `mac` is the container end's; empty where the kernel may choose. On a
    `point_to_point` link everything goes by the gateway, which alone is on it.
    """

    ips: tuple[IPConfig, ...]
    routes: tuple[Route, ...]
    gateways: tuple[IPInterface, ...]
    mac: str = ""
    point_to_point: bool = False

    @property
    def versions(self) -> set[int]:
        """The IP versions in use."""
        return {ip.address.version for ip in self.ips}

    @property
    def addresses(self) -> list[IPAddress]:
        """Those that the pod gets, without their prefix lengths."""
        return [ip.address.ip for ip in self.ips]


def make_plan(conf: BridgeConf, ips: Sequence[IPConfig], routes: Sequence[Route]) -> Plan:
    """Fill in what the configuration implies: gateways, default routes, the MAC.

    Raises:
        BadConfig: a node that is to be the gateway gets an address without room for one.
    """
    settled = tuple(_with_gateway(ip, conf.is_gateway) for ip in ips)
    gateways = _gateways(settled) if conf.is_gateway else ()
    chosen = tuple(routes)
    if conf.is_default_gateway:
        chosen += tuple(_missing_defaults(settled, chosen))
    mac = conf.mac or (mac_of(settled[0].address.ip) if settled else "")
    return Plan(ips=settled, routes=chosen, gateways=gateways, mac=mac)


def make_point_to_point_plan(ips: Sequence[IPConfig], routes: Sequence[Route]) -> Plan:
    """The plan of a pod that is joined to the node alone.

    Raises:
        BadConfig: there is no address, or one lacks its gateway or is it.
    """
    if not ips:
        raise BadConfig("ipam: it gave no address, and a point-to-point link needs one")
    for ip in ips:
        if ip.gateway is None or ip.gateway == ip.address.ip:
            raise BadConfig(f"ipam: {ip.address} has no gateway of its own, and ptp needs one")
        if ip.gateway.version != ip.address.version:
            raise BadConfig(f"ipam: {ip.address} and its gateway {ip.gateway} differ in family")
    return Plan(
        ips=tuple(ip.replace(interface=_POINT_TO_POINT_END) for ip in ips),
        routes=tuple(routes),
        gateways=tuple(ip_interface(ip.gateway) for ip in ips if ip.gateway is not None),
        mac=mac_of(ips[0].address.ip),
        point_to_point=True,
    )


def kernel_routes(plan: Plan, device: int) -> list[KernelRoute]:
    """The plan's routes as the pod's kernel takes them.

    A route without a gateway of its own goes by the first gateway of its
    family, or straight out of the device where there is none.
    """
    own = _gateway_routes(plan, device) if plan.point_to_point else []
    present = {route.dst for route in own}
    chosen = [_kernel_route(plan, route, device) for route in plan.routes]
    return own + [route for route in chosen if route.dst not in present]


def next_hop(plan: Plan, route: Route) -> IPAddress | None:
    """The gateway a route goes by, or None for one that is on the link."""
    if route.gw is not None:
        return route.gw
    same_family = [ip for ip in plan.ips if ip.address.version == route.dst.version]
    return next((ip.gateway for ip in same_family if ip.gateway is not None), None)


def _gateway_routes(plan: Plan, device: int) -> list[KernelRoute]:
    """To the gateway straight, and to the rest of the address's network by it."""
    found: dict[IPNetwork, KernelRoute] = {}
    for ip in plan.ips:
        if ip.gateway is None:
            continue
        own, network = ip.address.ip, ip.address.network
        straight = host_prefix(ip.gateway)
        scope = _SCOPE_LINK if own.version == 4 else None
        found.setdefault(
            straight, KernelRoute(dst=straight, device=device, scope=scope, source=own)
        )
        if network.num_addresses > 1:
            by_it = KernelRoute(dst=network, gateway=ip.gateway, device=device, source=own)
            found.setdefault(network, by_it)
    return list(found.values())


def _kernel_route(plan: Plan, route: Route, device: int) -> KernelRoute:
    gateway = next_hop(plan, route)
    scope = route.scope
    if scope is None and gateway is None and route.dst.version == 4:
        scope = _SCOPE_LINK
    return KernelRoute(
        dst=route.dst,
        gateway=gateway,
        device=device,
        table=254 if route.table is None else route.table,
        metric=route.priority or 0,
        scope=scope,
        mtu=route.mtu,
        advmss=route.advmss,
        onlink=gateway is not None and not _on_link(plan, gateway),
    )


def _on_link(plan: Plan, gateway: IPAddress) -> bool:
    return (
        plan.point_to_point
        or gateway.is_link_local
        or any(gateway in ip.address.network for ip in plan.ips)
    )


def _with_gateway(ip: IPConfig, is_gateway: bool) -> IPConfig:
    placed = ip.replace(interface=_CONTAINER_END)
    if placed.gateway is not None or not is_gateway:
        return placed
    network = ip.address.network
    if network.num_addresses < 4:
        raise BadConfig(
            f"isGateway: {network} has no room for the gateway's address",
            "name a gateway in ipam, or take a larger subnet",
        )
    return placed.replace(gateway=network.network_address + 1)


def _gateways(ips: Sequence[IPConfig]) -> tuple[IPInterface, ...]:
    """The bridge's own addresses, each once."""
    found = [
        ip_interface((ip.gateway, ip.address.network.prefixlen))
        for ip in ips
        if ip.gateway is not None
    ]
    return tuple(dict.fromkeys(found))


def _missing_defaults(ips: Sequence[IPConfig], routes: Sequence[Route]) -> list[Route]:
    present = {route.dst for route in routes}
    missing = []
    for ip in ips:
        default = default_route(ip.address.version)
        if default not in present:
            present.add(default)
            missing.append(Route(dst=default, gw=ip.gateway))
    return missing
