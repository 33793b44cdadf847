"""How often a client may call: the caller who is known, or else the address.

A client has a quota for each minute, which begins with its first request. The count is shared by all replicas, and yet
few requests ask the store that keeps it: a replica takes a twentieth of the quota at a time and spends it by itself.
So the limit is exact but for what other replicas still hold, never exceeded, and a request costs microseconds. While
the store does not answer, each replica counts alone.
"""
