"""A node's tables, each row with what it is for: pure.

`facts` is what is known of a node, and `index` the same arranged to be asked;
`neighbours`, `routes` and `bridges` make tables of it; `layout` prints any of them.
Whoever reads the kernel and the cluster's records (`dari tables`) hands the facts
in. A new table is a new module with one function from `Facts` to `Table`, and a
line in `tables.registry.TABLES`.

May import: routing, wiring.names, netlink's records, model, record.
"""
