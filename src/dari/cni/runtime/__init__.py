"""The runtime's side of CNI: what libcni does for containerd, CRI-O and Podman.

`confdir` chooses a configuration, `conflist` reads it, `chain` runs its plugins,
`cache` keeps what they answered.

Source: CNI SPEC.md 1.1.0, section 3; libcni where runtimes depend on its habits.
"""
