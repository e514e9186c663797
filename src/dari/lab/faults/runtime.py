"""What the container runtime reads and starts (causes of the seventh hundred).

May import: causes, language, and within lab.faults: fault, scene, sights.
"""

from __future__ import annotations

import json
from functools import partial

from dari.causes import configuration
from dari.lab.faults.fault import DIES, Commands, Fault, nothing, run
from dari.lab.faults.scene import Command, Scene
from dari.lab.faults.sights import PodStarts, Sight
from dari.language import N_

_CONF = "/etc/cni/net.d"
_OTHER, _BROKEN, _OURS = (
    f"{_CONF}/{name}" for name in ("05-bridge.conflist", "00-new.conflist", "10-dari.conflist")
)
_EXECUTABLE = "/opt/cni/bin/dari"
_OTHER_NETWORK = {
    "cniVersion": "1.0.0",
    "name": "left-over",
    "plugins": [
        {
            "type": "bridge",
            "bridge": "cni9",
            "isGateway": True,
            "ipam": {"type": "host-local", "subnet": "10.99.0.0/16"},
        }
    ],
}


def _starts(scene: Scene) -> tuple[Sight, ...]:
    return (PodStarts(node=scene.cast.node),)


def _write(path: str, text: str) -> Commands:
    return lambda scene: (run(scene.cast.node, "tee", path, given=text),)


def _remove(path: str, scene: Scene) -> tuple[Command, ...]:
    return (run(scene.cast.node, "rm", "-f", path),)


def _install(scene: Scene) -> tuple[Command, ...]:
    return (run(scene.cast.node, "dari", "install"),)


FAULTS = (
    Fault(
        name="conf-shadowed",
        codes=(configuration.CONF_SHADOWED.code,),
        level=1,
        symptom=N_("New pods on {node} start, with addresses that no other node knows."),
        hints=(
            N_("Which network did they get? Start one yourself: ip netns add x; dari add x x."),
            N_("Which file in /etc/cni/net.d does a runtime take?"),
        ),
        inject=_write(_OTHER, json.dumps(_OTHER_NETWORK)),
        undo=partial(_remove, _OTHER),
        sights=_starts,
    ),
    Fault(
        name="conf-broken",
        codes=(configuration.CONF_BROKEN.code,),
        level=1,
        symptom=N_("No new pod starts on {node} since somebody edited its network configuration."),
        hints=(
            N_("Start one yourself on {node} and read the error: ip netns add x; dari add x x."),
            N_("Does every file in /etc/cni/net.d parse?"),
        ),
        inject=_write(_BROKEN, '{"cniVersion": "1.0.0", "name": "new", "plugins": [{"type": "bri'),
        undo=partial(_remove, _BROKEN),
        sights=_starts,
    ),
    Fault(
        name="conf-missing",
        codes=(configuration.NO_CONF.code,),
        level=1,
        symptom=N_("{node} is NotReady: “cni plugin not initialized”. Its pods work."),
        hints=(
            N_("Where does a runtime look for its network configuration?"),
            N_("Who should have written the file?"),
        ),
        agent=DIES,
        inject=partial(_remove, _OURS),
        undo=nothing,
        sights=_starts,
    ),
    Fault(
        name="executable-missing",
        codes=(configuration.EXECUTABLE_MISSING.code,),
        level=1,
        symptom=N_("No new pod starts on {node}: “failed to find plugin in path”."),
        hints=(
            N_("Which plugin, and which path? The configuration names one, the runtime the other."),
            N_("List /opt/cni/bin on {node} and on {peer}."),
        ),
        inject=partial(_remove, _EXECUTABLE),
        undo=_install,
        sights=_starts,
    ),
    Fault(
        name="executable-broken",
        codes=(configuration.EXECUTABLE_BROKEN.code,),
        level=2,
        symptom=N_("No new pod starts on {node} since the disk there was full for a while."),
        hints=(
            N_("Start a plugin by hand: CNI_COMMAND=VERSION /opt/cni/bin/NAME."),
            N_("Compare the size of each plugin with that on {peer}."),
        ),
        inject=lambda scene: (
            *_remove(_EXECUTABLE, scene),
            run(scene.cast.node, "tee", _EXECUTABLE, given="\x7fELF\x02\x01\x01"),
            run(scene.cast.node, "chmod", "755", _EXECUTABLE),
        ),
        undo=_install,
        sights=_starts,
    ),
)
"""All of them."""
