"""Files of callers, kept in S3. Their bytes never pass through the API: it signs addresses, and checks what arrived.

A row of `uploads` is the only thing that keeps a file: when the row goes, whoever deletes it, a trigger notes that its
file has to go as well, and `cleaning` sees to it.
"""
