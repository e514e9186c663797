"""`dari del`: takes away what `dari add` gave, as far as anything is left of it.

May import: cli.attachment.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from dari.cli import attachment as shared
from dari.cli.messages import _
from dari.language import N_

NAME = "del"
HELP = N_("take a container's network interface away")
EXAMPLE = N_("""example:
  dari del web1 web

It may be repeated, and works after the namespace has gone: `dari del web1`.""")


def configure(parser: ArgumentParser) -> None:
    """Declare options."""
    shared.configure(parser, netns_optional=True)
    parser.epilog = _(EXAMPLE)


def run(arguments: Namespace) -> int:
    """Run DEL of the networks that the interface was attached to.

    What is not known here may still be there (made by another runtime, or
    half-made): then it is DEL of the network that the folder holds.
    """
    for network, attachment in shared.known_or_chosen(arguments):
        shared.chain_of(arguments, network).delete(attachment)
        print(
            _("{ifname} in {container}: removed from network {network}").format(
                ifname=attachment.ifname, container=attachment.container_id, network=network.name
            )
        )
    return 0
