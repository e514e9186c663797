"""`dari add`: gives a container a network interface, as a container runtime would.

May import: errors, jsontext, netlink, result, cni, cli.attachment.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from dari.cli import attachment as shared
from dari.cli.messages import _
from dari.cni.runtime import confdir
from dari.cni.runtime.cache import Attachment
from dari.errors import BadConfig, BadNamespace, NotFound
from dari.jsontext import encode
from dari.language import N_
from dari.result import encode_result

NAME = "add"
HELP = N_("give a container a network interface")
EXAMPLE = N_("""example:
  ip netns add web
  dari add web1 web
  ip netns exec web ip address show eth0""")


def configure(parser: ArgumentParser) -> None:
    """Declare options."""
    shared.configure(parser)
    parser.add_argument(
        "--args",
        action="append",
        default=[],
        metavar="K=V",
        help=_("for the plugins (CNI_ARGS), such as IP=10.22.0.9; may be given several times"),
    )
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    parser.epilog = _(EXAMPLE)


def run(arguments: Namespace) -> int:
    """Run ADD of the network that a runtime with this folder uses."""
    network = confdir.choose(arguments.conf_dir)
    pairs = shared.parse_pairs(arguments.args)
    attachment = shared.attachment_of(arguments).replace(args=pairs)
    refuse_taken(attachment)
    result = shared.chain_of(arguments, network).add(attachment)
    if arguments.output == "json":
        print(encode(encode_result(result, network.cni_version)).decode(), end="")
    else:
        print(shared.describe(result, attachment, network))
    return 0


def refuse_taken(attachment: Attachment) -> None:
    """Refuse an interface that is there already, before a failed ADD is undone with its DEL.

    Raises:
        BadConfig: the attachment is known, or the namespace has such an interface.
        BadNamespace: there is no such namespace.
    """
    mend = _("remove it first: dari del {container} {netns}").format(
        container=attachment.container_id, netns=attachment.netns
    )
    what = f"{attachment.ifname} in {attachment.container_id}"
    if shared.known(attachment.owner):
        raise BadConfig(_("{what} is attached already").format(what=what), mend)
    if attachment.ifname != "lo" and is_there(attachment):
        raise BadConfig(
            _("{netns} has an interface {ifname} already").format(
                netns=attachment.netns, ifname=attachment.ifname
            ),
            mend,
        )


def is_there(attachment: Attachment) -> bool:
    """Whether the namespace has an interface of that name.

    Raises:
        BadNamespace: there is no such namespace.
    """
    from dari.netlink.link import get_link
    from dari.netlink.namespace import Namespace

    try:
        with Namespace.open(attachment.netns) as namespace, namespace.socket() as pod:
            get_link(pod, name=attachment.ifname)
    except NotFound:
        return False
    except BadNamespace as error:
        missing = _("`ip netns add NAME` makes one; `ip netns` lists them")
        error.details = error.details or (missing if error.missing else _("are you root?"))
        raise
    return True
