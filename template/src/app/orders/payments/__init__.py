"""Payments for orders: what it takes to ask somebody else to do something exactly once."""
