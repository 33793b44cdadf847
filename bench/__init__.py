"""What hardening costs: a service of the template against the same endpoints on the bare framework.

    python -m bench                      write a service of this commit into a temporary folder, measure, print Markdown
    python -m bench --service DIR        measure one that is there, set up by its own make
    python -m bench --write              all of it, with generation, update, gate, start and memory, into docs/measures.md
    python -m bench --write --brief      the same without gate and requests, and with fewer rounds
    python -m bench --layers             also without each layer in turn: what it costs

`measure.py`, `start.py`, `hardened.py`, `bare.py` and `load.py` run in the service's environment, on its embedded PostgreSQL.
"""
