import express from "express";
import { randomUUID } from "node:crypto";
import { ServiceBusClient } from "@azure/service-bus";
import { BlobServiceClient } from "@azure/storage-blob";
import { LABELS_CONTAINER, PARCELS_QUEUE, PORT, SERVICEBUS_CONNECTION_STRING, STORAGE_CONNECTION_STRING } from "./config.js";

const bus = new ServiceBusClient(SERVICEBUS_CONNECTION_STRING);
const sender = bus.createSender(PARCELS_QUEUE);
const labels = BlobServiceClient.fromConnectionString(STORAGE_CONNECTION_STRING).getContainerClient(LABELS_CONTAINER);

const app = express();
app.use(express.json());

app.get("/health", (req, res) => res.json({ status: "ok" }));

app.post("/parcels", async (req, res) => {
  const id = randomUUID();
  await sender.sendMessages({ messageId: id, contentType: "application/json", body: { id, to: req.body.to } });
  res.status(202).json({ id });
});

app.get("/parcels/:id/label", async (req, res) => {
  const blob = labels.getBlobClient(`${req.params.id}.txt`);
  if (!(await blob.exists())) return res.sendStatus(404);
  res.type("text").send(await blob.downloadToBuffer());
});

const server = app.listen(PORT, () => console.log(`listening on ${PORT}`));
process.on("SIGTERM", () => server.close(async () => { await bus.close(); process.exit(0); }));
