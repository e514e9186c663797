"""The cluster's network as a picture: SVG for a document, and a page served on localhost.

`picture` is what there is to draw, made of snapshots; `layout` places it; `svg` writes it;
`journey` is an explained path laid over it; `page` and `server` show it live. Only `server`
does I/O.

May import: explain, tables, snapshot, causes, language, record.
"""
