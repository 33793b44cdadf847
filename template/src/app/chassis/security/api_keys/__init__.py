"""Keys that this service issues to its clients.

A key is `key_<prefix>_<secret>`: the prefix finds its row, the secret has 256 random bits. What is stored is its
SHA-256. Slow hashes such as Argon2 are for passwords, which people choose and others can guess: nobody guesses 256
random bits, and 140 ms of CPU for each request would be a gift to whoever sends many.
"""
