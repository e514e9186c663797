"""Reads nftables' rules for one packet: iptables' too, as far as nft can show them. Pure.

`ruleset` arranges what ``nft -j list ruleset`` said, `match` compares one packet with one
expression, `hooks` runs the chains of a hook. What cannot be read is said to be so, and
never guessed.

Source: libnftables-json(5), nft(8).
May import: netlink's records, model, record, snapshot.model.
"""
