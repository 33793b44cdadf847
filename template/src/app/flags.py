"""The service's feature flags. Declare yours here, and add them to the list: the command refuses any other name.

Ask `TAKE_ORDERS.is_on()`, or put `while_on(TAKE_ORDERS)` among a route's dependencies. `make flags` shows them, and
`make flag NAME=orders.create VALUE=off` flips one, within seconds and without a deploy.
"""

from app.chassis.flags.flag import Flag

TAKE_ORDERS = Flag("orders.create", default=True, description="New orders are taken. Off: POST /orders answers 503.")

flags = [TAKE_ORDERS]
