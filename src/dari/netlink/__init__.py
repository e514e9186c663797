"""Netlink, spoken by hand: bytes to and from the kernel, and nothing above that.

- `codec` messages and attributes as bytes; `constants` the kernel's numbers
- `conversation` what is said and answered; `sock` the socket that carries it
- `link`, `address`, `route`, `neighbour`, `rule` rtnetlink's objects: a record,
  builders that return a `Request`, and functions that list
- `namespace` network namespaces by descriptor

Builders only build. One `NetlinkSocket.transact` sends as many as belong
together, in one datagram.

May import: errors, record, model, addr.
"""
