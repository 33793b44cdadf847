"""The routes this service serves. Add your routers to the list."""

from app.orders.api import router as orders

routers = [orders]
