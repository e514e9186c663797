"""A cluster on one machine, out of namespaces: `dari lab`.

What each module is for, from the command down:

==================  ===================================================================
topology            which machines, names, addresses and cables there are (pure)
state, process      what is on disk of a lab, and whether it still lives
build, remove       `dari lab up` and `dari lab down`, seen from outside
message             what a lab's processes tell `dari lab up`, and whose word it is
launch, privilege   the first process: leaves the machine's namespaces, or says why not
switch, births      process 1 of the lab: the switch, and the birth of every machine
machine, settings   one node, the router or the outside host
folders             what a machine sees of the real machine's files
pod                 one pod's sandbox
cluster, programs   agent, executables and pods of a node, by the real programs
bird                BIRD's configuration, where the backend is BGP
etcd                the server with the records, where the store is etcd
look, show          `dari lab status`: what is there, and how it is printed
enter               `dari lab exec`
demo, journey       `dari lab demo`: every pair reached, and with whose address
probe, interrupts   what the demo runs inside, and that Ctrl-C leaves nothing of it
syscalls            what Python lacks for namespaces
==================  ===================================================================
"""
