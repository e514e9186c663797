"""Makes the node what `desired` says: one function for each concern.

Each compares, puts right what differs, and returns in words what it put right.
None of them keeps any memory, so the same path serves start-up, an event, a
flushed table and the periodic check.

May import: addr, errors, files, netlink, nft, paths, routing, wiring, agent.cables,
agent.carry, agent.config, agent.conflist, agent.desired, agent.observe, agent.podmtu,
agent.takeover.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from dari.addr import link_local_of
from dari.agent import conflist, podmtu
from dari.agent.cables import of_own_network, plug_in
from dari.agent.carry import Carrier
from dari.agent.config import AgentConfig
from dari.agent.desired import Desired
from dari.agent.observe import Observed, observe
from dari.agent.takeover import take_over
from dari.errors import AlreadyExists, DariError, NotFound, Undecodable
from dari.files import holds, write_whole
from dari.netlink.address import add_address
from dari.netlink.link import Link
from dari.netlink.linkchange import change_link
from dari.nft import entries, forwarded, opening, spoofing, table
from dari.nft.entries import Masqueraded
from dari.paths import Paths
from dari.record import Record
from dari.routing.reconcile import Outcome
from dari.routing.standing import Shift
from dari.wiring import sysctl
from dari.wiring.bridge import ensure_bridge
from dari.wiring.host import Host


class Mended(Record):
    """What a pass over all concerns did, in words.

    Attributes:
        done: what was put right.
        blocking: what stands in the way of a pod's start.
        failures: what else could not be put right.
    """

    done: tuple[str, ...] = ()
    blocking: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()


class Mender:
    """Puts the node right.

    Args:
        host: the node; its socket is used by one thread at a time.
        config: names the bridge and the runtime's folder.
    """

    def __init__(self, host: Host, config: AgentConfig) -> None:
        self._host = host
        self._config = config
        self._carrier = Carrier(config.backend, time.monotonic)

    def mend(self, desired: Desired, observed: Observed, *, deep: bool) -> Mended:
        """Go through all concerns; one that fails does not stop the next.

        The configuration comes last, and only if all that a pod needs is there:
        runtimes take it for the sign that pods may start.

        Args:
            desired: from `desired.decide`.
            observed: what `desired` was decided from.
            deep: compare the firewall's every rule, rather than its fingerprint.
        """
        concerns: list[Callable[[], list[str]]] = [
            lambda: forwarding(self._host.paths, desired),
            lambda: self._bridge(desired, observed),
            lambda: firewall(self._host.paths, desired, deep=deep),
            lambda: take_over(self._host.paths, [each.network for each in desired.gateways]),
        ]
        done, blocking = _through(concerns)
        outcome = self._carry(desired, observed)
        done += outcome.mended
        failures = [*outcome.failures]
        if not blocking:
            more, blocking = _through(
                [lambda: configuration(self._config.conf_dir, desired.conflist)]
            )
            done += more
        return Mended(done=tuple(done), blocking=tuple(blocking), failures=tuple(failures))

    def shift(self, shift: Shift) -> Outcome:
        """Carry out at once what the change of some nodes comes to.

        Raises:
            DariError: it cannot be done so; all has to be looked at.
        """
        return self._carrier.shift(self._host.rtnl, shift)

    def tunnel(self, index: int) -> str:
        """The name of the tunnel with this index; empty: it is none of dari's."""
        return self._carrier.tunnel(index)

    def _bridge(self, desired: Desired, observed: Observed) -> list[str]:
        """See `bridge`; one that is deleted meanwhile is looked at, and made, anew."""
        try:
            return bridge(self._host, self._config, desired, observed)
        except NotFound:
            return bridge(self._host, self._config, desired, observe(self._host.rtnl))

    def _carry(self, desired: Desired, observed: Observed) -> Outcome:
        """What takes packets to other nodes; none of it stands in the way of a pod's start."""
        outcome = self._carrier.carry(self._host.rtnl, desired, observed)
        outcome = outcome.plus(podmtu.mend(self._host, observed, desired.mtu))
        done, failed = _through([lambda: subnet_env(self._config, desired)])
        return outcome.plus(Outcome(mended=tuple(done), failures=tuple(failed)))


def _through(concerns: list[Callable[[], list[str]]]) -> tuple[list[str], list[str]]:
    done: list[str] = []
    failed: list[str] = []
    for concern in concerns:
        try:
            done += concern()
        except DariError as error:
            failed.append(error.message)
    return done, failed


def forwarding(paths: Paths, desired: Desired) -> list[str]:
    """The node passes packets on. Equivalent to: ``sysctl -w net.ipv4.ip_forward=1``."""
    return [
        f"set {sysctl.FORWARDING[version].replace('/', '.')} to 1"
        for version in desired.forwarding
        if sysctl.ensure(paths, sysctl.FORWARDING[version], "1")
    ]


def bridge(host: Host, config: AgentConfig, desired: Desired, observed: Observed) -> list[str]:
    """The bridge is there, up, with the gateways' addresses and the underlay's MTU."""
    if not desired.gateways:
        return []
    before = next((link for link in observed.links if link.name == config.bridge), None)
    link = ensure_bridge(host, config.bridge, desired.gateways, desired.mtu)
    done = _bridge_changes(config.bridge, before, desired, observed)
    done += _link_local(host, link, desired, observed)
    done += plug_in(host.rtnl, link.index, of_own_network(observed))
    if desired.mtu and link.mtu != desired.mtu:
        host.rtnl.transact([change_link(index=link.index, mtu=desired.mtu)])
        done.append(f"set MTU of bridge {config.bridge} from {link.mtu} to {desired.mtu}")
    return done


def _bridge_changes(
    name: str, before: Link | None, desired: Desired, observed: Observed
) -> list[str]:
    """What `ensure_bridge` found to do, told from what was seen before it."""
    if before is None:
        return [f"made bridge {name}"]
    had = {each.interface for each in observed.addresses if each.index == before.index}
    missing = [gateway for gateway in desired.gateways if gateway not in had]
    done = [f"gave bridge {name} its address {gateway}" for gateway in missing]
    return done if before.up else [*done, f"set bridge {name} up"]


def _link_local(host: Host, link: Link, desired: Desired, observed: Observed) -> list[str]:
    """The bridge has its link-local address at once, and not after a wait for duplicates.

    The kernel asks from it for the neighbours of packets that it passes on; until
    it is settled, a second or two after the first pod, it does not even ask
    (net/ipv6/ndisc.c, `ndisc_send_ns`).
    """
    wanted = link_local_of(link.mac)
    had = {each.interface for each in observed.addresses if each.index == link.index}
    if wanted in had or not any(gateway.version == 6 for gateway in desired.gateways):
        return []
    try:
        host.rtnl.transact([add_address(link.index, wanted)])
    except AlreadyExists:
        return []
    return [f"gave bridge {link.name} its address {wanted}"]


def firewall(paths: Paths, desired: Desired, *, deep: bool) -> list[str]:
    """The node's one table is in the kernel, as the files say, and the site's filter is open."""
    done: list[str] = []
    if _entry(paths) != desired.masqueraded:
        if desired.masqueraded is None:
            entries.remove_entry(paths, conflist.NETWORK)
        else:
            entries.write_entry(paths, conflist.NETWORK, desired.masqueraded)
        done.append("wrote what is masqueraded")
    if deep and not spoofing.verify(paths):
        spoofing.rebuild(paths)
        done.append("built the nftables table of bridges anew")
    if not table.is_needed(paths):
        if done or deep:
            table.remove_table()
        return done
    if deep and not table.verify(paths):
        table.rebuild(paths)
        done.append("built the nftables table anew")
    elif table.ensure(paths):
        done.append("built the nftables table")
    if deep and forwarded.is_used(paths):
        done += opening.open_filters()
    return done


def _entry(paths: Paths) -> Masqueraded | None:
    try:
        return entries.read_entry(paths, conflist.NETWORK)
    except Undecodable:
        return Masqueraded()  # differs from whatever is wanted, so it is written anew


def configuration(folder: str, text: str) -> list[str]:
    """The runtime's configuration, written only when it differs.

    Runtimes notice a rename within the folder, and nothing of a file that is
    written in place (facts of containerd's watcher).
    """
    if not text or conflist_is(folder, text):
        return []
    path = f"{folder}/{conflist.FILE}"
    write_whole(path, text.encode(), mode=0o644)
    return [f"wrote {path}"]


def conflist_is(folder: str, text: str) -> bool:
    """Does the folder hold the configuration with exactly this text?"""
    return holds(f"{folder}/{conflist.FILE}", text)


def subnet_env(config: AgentConfig, desired: Desired) -> list[str]:
    """What flannel writes for others to read, where that is asked for."""
    path = config.backend.subnet_env
    if not desired.subnet_env or holds(path, desired.subnet_env):
        return []
    write_whole(path, desired.subnet_env.encode(), mode=0o644)
    return [f"wrote {path}"]


def silent_damage(paths: Paths, config: AgentConfig, desired: Desired) -> Iterator[str]:
    """What the kernel sends no notification of and is not as it should be."""
    for version in desired.forwarding:
        if sysctl.read(paths, sysctl.FORWARDING[version]) != "1":
            yield sysctl.FORWARDING[version]
    if desired.conflist and not conflist_is(config.conf_dir, desired.conflist):
        yield conflist.FILE
