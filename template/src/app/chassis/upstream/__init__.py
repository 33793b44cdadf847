"""Calls to other services, which are slow, gone, wrong or silly at times, without becoming so ourselves.

`app.upstreams` says which services are called; `app.chassis.upstream.client` says how.
"""
