import json
import logging
import uuid
from contextlib import asynccontextmanager

from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, PositiveInt
from sqlalchemy import create_engine, text

from . import settings

logging.basicConfig(level=settings.LOG_LEVEL.upper())
engine = create_engine(settings.DATABASE_URL, pool_pre_ping=True)


@asynccontextmanager
async def lifespan(app: FastAPI):
    async with ServiceBusClient.from_connection_string(settings.SERVICE_BUS) as client:
        async with client.get_queue_sender(settings.QUEUE) as sender:
            app.state.sender = sender
            yield


app = FastAPI(title="Orders", lifespan=lifespan)


class NewOrder(BaseModel):
    item: str
    quantity: PositiveInt


@app.get("/healthz")
def healthz():
    with engine.connect() as db:
        db.execute(text("SELECT 1"))
    return {"ok": True}


@app.post("/orders", status_code=202)
async def create(order: NewOrder):
    order_id = str(uuid.uuid4())
    with engine.begin() as db:
        db.execute(
            text("INSERT INTO orders (id, item, quantity) VALUES (:id, :item, :quantity)"),
            {"id": order_id, "item": order.item, "quantity": order.quantity},
        )
    await app.state.sender.send_messages(ServiceBusMessage(json.dumps({"id": order_id}), message_id=order_id))
    return {"id": order_id}


@app.get("/orders/{order_id}")
def read(order_id: uuid.UUID):
    with engine.connect() as db:
        row = (
            db.execute(text("SELECT id, item, status FROM orders WHERE id = :id"), {"id": order_id}).mappings().first()
        )
    if row is None:
        raise HTTPException(404)
    return dict(row)
