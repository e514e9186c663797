"""What one moment of a network looked like, as plain data: all that explaining needs.

`model` says what is kept; `place` reads one network namespace, `node` a whole node
with its pods, and `files` reads and writes snapshots as JSON, so that what was taken
on one machine can be looked at on another. `lookup` answers who has an address.
Whoever decides something (`dari tables`, `dari explain`, the doctor, the map) decides
it by pure functions of a snapshot.

May import: agent, wiring, store, ipam, cni, nft, netlink, and below.
"""
