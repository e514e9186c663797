"""What `make bench` measures, and how: docs/benchmarks.md.

`measurements` lists everything. Each module that measures returns sections
(`figures`), which `report` and `plot` turn into what people and programs read.
Apart from `dari` itself, modules here import only their neighbours:
``__main__ → measurements → bursts, scale … → scenarios, crowd, watch → harness → figures``
and ``__main__ → report, plot → figures → summary``.
"""
