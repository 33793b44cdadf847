"""What the service counts of its business. Declare yours here, one line each; README says how they are sent.

`ORDERS_PLACED.add_when_committed(session)` counts what a transaction did, `.add()` counts at once.
"""

from app.chassis.telemetry.metrics import counter

ORDERS_PLACED = counter("orders.placed", "Orders placed.")
