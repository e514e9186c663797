"""`dari check`: is an interface still as `dari add` left it?

May import: errors, cli.attachment.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from dari.cli import attachment as shared
from dari.cli.messages import _
from dari.errors import UnknownContainer
from dari.language import N_

NAME = "check"
HELP = N_("ask whether a container's network interface is as it was made")
EXAMPLE = N_("""example:
  dari check web1 web || dari del web1 web""")


def configure(parser: ArgumentParser) -> None:
    """Declare options."""
    shared.configure(parser)
    parser.epilog = _(EXAMPLE)


def run(arguments: Namespace) -> int:
    """Run CHECK of the networks that the interface was attached to.

    Raises:
        UnknownContainer: it is not known to be attached to any.
    """
    wanted = shared.attachment_of(arguments)
    found = shared.known(wanted.owner)
    if not found:
        raise UnknownContainer(
            _("{ifname} in {container}: not attached to any network").format(
                ifname=wanted.ifname, container=wanted.container_id
            ),
            _("attach it: dari add {container} {netns}").format(
                container=arguments.container, netns=arguments.netns
            ),
        )
    for network, attachment in found:
        chain = shared.chain_of(arguments, network)
        chain.check(attachment.replace(netns=wanted.netns))
        print(
            _("{ifname} in {container}: in order (network {network})").format(
                ifname=wanted.ifname, container=wanted.container_id, network=network.name
            )
        )
    return 0
