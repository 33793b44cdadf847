"""Feature flags that an operator flips without a deploy: `python -m app.chassis.flags`.

They are declared in `app.flags`, read through OpenFeature, and kept in PostgreSQL.
"""
