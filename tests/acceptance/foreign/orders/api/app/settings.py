import os

DATABASE_URL = os.environ["DATABASE_URL"]
SERVICE_BUS = os.environ["SERVICE_BUS_CONNECTION"]
QUEUE = os.getenv("ORDERS_QUEUE", "orders")
LOG_LEVEL = os.getenv("LOG_LEVEL", "info")
