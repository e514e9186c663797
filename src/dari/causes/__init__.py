"""What can be wrong with a cluster's network: one stable code for each cause.

`catalogue` has them all; `finding` is one that was found. The doctor, `dari explain`,
the tables and the lab's faults name causes by these codes, and each code has a page in
the documents (docs/causes, made from the catalogue by `make pages`).

May import: language, record.
"""
