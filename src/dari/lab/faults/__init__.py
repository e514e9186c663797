"""What goes wrong in real clusters, to be broken in a lab on purpose: `dari lab break`.

==================  ===================================================================
fault, needs        what a fault is, and which labs it can happen in
scene, sights       where it happens, and what would be seen of it: plain data
routes, neighbours, the faults themselves; `rules` is the firewall that some of them write,
tunnels, links,     `crowd` fills the table of connections
inpods, underlay,
kernel, filters,
ranges, runtime,
nodes
catalogue           all of them, by name
choice, exercise    which one is broken where; what is on disk of it
packets             packets and connections that are really sent
newpod, watch       whether a pod starts, and everything else that is looked at
inside, agents      commands run in the lab's machines; agents killed and started
story               what a person is told
desk                break, check, hint and mend
==================  ===================================================================

A fault is a pure function of a scene: the commands that break, those that undo it, and
what is seen where nothing is broken. Whether it is mended is only ever asked of packets,
of agents and of files, never of what was injected.
"""
