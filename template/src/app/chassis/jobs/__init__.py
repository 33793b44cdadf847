"""Work that is done behind the request: jobs and schedules, on PostgreSQL. `python -m app.chassis.jobs`.

Declared with `job` and `schedule` (`app.chassis.jobs.job`) in modules named `jobs` anywhere below `app`, and carried
out by `python -m app.worker`. A job may run more than once (its worker can die after the work and before it has said
so): write it so that the second time does no harm.
"""
