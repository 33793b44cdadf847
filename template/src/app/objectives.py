"""What callers of this service can rely on. Change the numbers to what yours need, and add routes that need better:
`Latency("search is quick", "…", target=0.95, seconds=0.1, route="/search")`.

Dashboards and alarms follow from this list (`app.chassis.telemetry.objectives`).
"""

from app.chassis.telemetry.objectives import Availability, Latency

objectives = [
    Availability("availability", "Requests are answered, and not with a failure of ours.", target=0.999),
    Latency("latency", "Requests are answered within half a second.", target=0.99, seconds=0.5),
]
