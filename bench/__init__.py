"""What hardening costs: a service of the template against the same endpoints on the bare framework.

    python -m bench                      write a service of this commit into a temporary folder, measure, print Markdown
    python -m bench --service DIR        measure one that is there, set up by its own make
    python -m bench --layers             also without each layer in turn: what it costs

`measure.py`, `hardened.py`, `bare.py` and `load.py` run in the service's environment, on its embedded PostgreSQL.
"""
