"""Measures the doctor and `dari explain` by the lab's faults: ``python -m bench.faults``.

==========  ======================================================================
shapes      the labs
case        what one fault, or two at a time, comes to
agreement   what explain says of every pair of ends, beside what packets do
storm       these packets, and where each was last seen
jobs        several labs at a time
plan        which cases there are
report      tables for docs/measure.md
==========  ======================================================================
"""
