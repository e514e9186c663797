"""What the container runtime reads.

May import: language, causes.cause.
"""

from __future__ import annotations

from dari.causes.cause import Cause
from dari.language import N_

CONF_SHADOWED = Cause(
    code="DARI-701",
    title=N_("another configuration file comes first"),
    why=N_("The runtime takes the first file in the order of their names: dari's is not used."),
    look="ls /etc/cni/net.d",
    mend=N_("Remove or rename the file that comes first."),
)
CONF_BROKEN = Cause(
    code="DARI-702",
    title=N_("a configuration file cannot be read"),
    why=N_("The runtime fails to load any network while a broken file comes first."),
    look="python3 -m json.tool FILE",
    mend=N_("Mend or remove the file."),
)
EXECUTABLE_MISSING = Cause(
    code="DARI-703",
    title=N_("a plugin that the configuration names is not there"),
    why=N_('Every pod\'s start fails ("failed to find plugin in path").'),
    look="ls /opt/cni/bin",
    mend=N_("Install it: dari install."),
)
EXECUTABLE_BROKEN = Cause(
    code="DARI-704",
    title=N_("a plugin's executable does not answer"),
    why=N_("Every pod's start fails."),
    look="CNI_COMMAND=VERSION /opt/cni/bin/NAME",
    mend=N_("Install it anew: dari install."),
)
NO_CONF = Cause(
    code="DARI-705",
    title=N_("there is no network configuration"),
    why=N_('The node stays NotReady: "cni plugin not initialized".'),
    look="ls /etc/cni/net.d",
    mend=N_("Start the agent, or dari install."),
)
OTHER_FOLDER = Cause(
    code="DARI-706",
    title=N_("the runtime looks in another folder"),
    why=N_("What is in the usual folders is not used."),
    look="containerd config dump | grep -A4 cni",
    mend=N_("Install into the runtime's folders, or change its configuration."),
)
KUBELET_FLAGS = Cause(
    code="DARI-707",
    title=N_("kubelet is started with flags that it no longer knows"),
    why=N_(
        "Since 1.24 the runtime chooses the network; kubelet does not start with "
        "--network-plugin, --cni-conf-dir or --cni-bin-dir."
    ),
    look="systemctl cat kubelet",
    mend=N_("Remove the flags, or keep a kubelet before 1.24."),
)
VERSION_UNSUPPORTED = Cause(
    code="DARI-708",
    title=N_("a plugin does not support the configuration's version"),
    why=N_("The plugin refuses the configuration (error 1)."),
    look="CNI_COMMAND=VERSION /opt/cni/bin/NAME",
    mend=N_("Use a cniVersion that all plugins of the list support."),
)
