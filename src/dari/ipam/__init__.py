"""Addresses for pods: what host-local does, on host-local's own folder.

`hostlocal` is the door. `ranges`, `requested`, `routes` and `resolver` read the
configuration; `folder`, `lock`, `owners` and `book` keep the leases; `boot`
takes back those of an earlier boot.
"""
