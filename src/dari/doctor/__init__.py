"""Checks a node, or a cluster, and says what is wrong: `dari doctor`.

A check is a function from a `Node` (or from all of them) to findings, one module for
each family, and `checks` has them all. Nothing here reads or changes anything but
`probes`, which sends packets to peers.

May import: causes, explain, tables, snapshot, agent, routing, store, and below.
"""
