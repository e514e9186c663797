"""What ADD, DEL, CHECK, GC and STATUS do to one pod.

`registry` finds the plugin for a type's name; `plugins/` has one module for
each; the other modules are the parts that plugins are made of.
"""
