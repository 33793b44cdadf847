"""A request that is sent again is not done again: the Idempotency-Key header.

draft-ietf-httpapi-idempotency-key-header-07. A router with `route_class=IdempotentRoute` is all it takes.
"""
