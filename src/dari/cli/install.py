"""`dari install`: puts the executables where the runtime looks for them.

May import: addr, agent, fields, model, paths.
"""

from __future__ import annotations

import os
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from typing import TYPE_CHECKING

from dari.addr import parse_network
from dari.agent import options
from dari.cli.messages import _
from dari.fields import items, number, text
from dari.language import N_

if TYPE_CHECKING:
    from dari.agent.config import AgentConfig
    from dari.model import IPNetwork
    from dari.paths import Paths

NAME = "install"
HELP = N_("put dari's executables into the runtime's plugin folder")
_OPTIONS = ("conf-dir", "pod-range", "bridge", "mtu", "masquerade")


def configure(parser: ArgumentParser) -> None:
    """Declare the folders and names."""
    from dari.agent import unit

    parser.add_argument(
        "--bin-dir",
        default="/opt/cni/bin",
        metavar="FOLDER",
        help=_("where the runtime looks for executables (/opt/cni/bin)"),
    )
    parser.add_argument(
        "--as",
        dest="names",
        type=plugin_names,
        default=(),
        metavar="NAMES",
        help=_("also answer under these names, with commas between: bridge,host-local,loopback"),
    )
    parser.add_argument(
        "--no-fallback",
        action="store_true",
        help=_(
            "wait for the agent where none listens, and start no Python: for an agent that "
            "is in a container"
        ),
    )
    parser.add_argument(
        "--systemd",
        action="store_true",
        help=_("also write {file}, which keeps the agent running").format(
            file=f"{unit.FOLDER}/{unit.NAME}"
        ),
    )
    options.declare(parser, _OPTIONS)
    parser.epilog = _(
        "An executable of another's is kept as NAME.dari-saved, and `dari uninstall` puts it\n"
        "back. The agent writes the network configuration; without an agent, give --pod-range.\n"
        "\n"
        "examples:\n"
        "  dari install\n"
        "  dari install --bin-dir /usr/lib/cni --as bridge,host-local,loopback\n"
        "  dari install --pod-range 10.244.1.0/24\n"
        "  dari install --systemd && systemctl enable --now dari-agent"
    )


def plugin_names(text: str) -> tuple[str, ...]:
    """Read ``bridge,loopback``, for argparse."""
    from dari.wiring.registry import MODULES

    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        if name not in MODULES:
            raise ArgumentTypeError(
                _("dari has no plugin {name!r}; it has {modules}").format(
                    name=name, modules=", ".join(MODULES)
                )
            )
    return names


def run(arguments: Namespace) -> int:
    """Executables first, the configuration last: it tells the runtime that all is there."""
    from dari.agent.install import executable, install_executables
    from dari.agent.start import configure as read_configuration
    from dari.agent.unit import NAME as UNIT
    from dari.agent.unit import write_unit
    from dari.paths import Paths

    paths = Paths()
    config = read_configuration(arguments, paths, os.uname().nodename)
    program = executable(paths, fallback=not arguments.no_fallback)
    folder = os.path.abspath(arguments.bin_dir)
    for each in install_executables(folder, arguments.names, program):
        print(
            f"{each.path}"
            + (_(" (what was there is now {saved})").format(saved=each.saved) if each.saved else "")
        )
    print(_configuration(config, paths))
    if arguments.systemd:
        print(
            _("{path} (start it with: systemctl enable --now {unit})").format(
                path=write_unit(), unit=UNIT
            )
        )
    return 0


def _configuration(config: AgentConfig, paths: Paths) -> str:
    """Write the network configuration where that is for us to do; what became of it.

    A running agent keeps the one in its own folder, and masquerades for all.
    """
    from dari.agent import conflist
    from dari.agent.client import AgentAbsent, ask_status

    path = f"{config.conf_dir}/{conflist.FILE}"
    try:
        state = ask_status(paths.agent_socket)
    except AgentAbsent:
        if not config.pod_ranges:
            return _("{path} will be written by the agent: start it with `dari agent`").format(
                path=path
            )
        written = _write(config, config.pod_ranges, paths, masquerade=config.masquerade)
        return _("{path} (for this machine alone, with no agent)").format(path=written)
    if state.get("conf_dir") == config.conf_dir:
        return _("{path} is kept by the running agent").format(path=path)
    ranges = tuple(parse_network(each, "pod_ranges") for each in items(state, "pod_ranges"))
    if not ranges:
        return _(
            "{path} is not written: the running agent has no pod range yet; see `dari status`"
        ).format(path=path)
    same = config.replace(bridge=text(state, "bridge"), mtu=number(state, "mtu"))
    return _("{path} (with the running agent's pod range)").format(
        path=_write(same, ranges, paths, masquerade=False)
    )


def _write(
    config: AgentConfig, ranges: tuple[IPNetwork, ...], paths: Paths, *, masquerade: bool
) -> str:
    from dari.agent import conflist
    from dari.agent.install import write_conflist

    content = conflist.render(
        ranges,
        bridge=config.bridge,
        mtu=config.mtu,
        leases=paths.leases,
        masquerade=masquerade,
    )
    return write_conflist(config.conf_dir, content)
