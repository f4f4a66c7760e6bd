import { ServiceBusClient } from "@azure/service-bus";
import { BlobServiceClient } from "@azure/storage-blob";
import { LABELS_CONTAINER, PARCELS_QUEUE, SERVICEBUS_CONNECTION_STRING, STORAGE_CONNECTION_STRING } from "./config.js";

const bus = new ServiceBusClient(SERVICEBUS_CONNECTION_STRING);
const labels = BlobServiceClient.fromConnectionString(STORAGE_CONNECTION_STRING).getContainerClient(LABELS_CONTAINER);

const receiver = bus.createReceiver(PARCELS_QUEUE);
receiver.subscribe({
  async processMessage(message) {
    const text = `To: ${message.body.to}\n`;
    await labels.getBlockBlobClient(`${message.body.id}.txt`).upload(text, Buffer.byteLength(text));
  },
  async processError({ error }) {
    console.error(error);
  },
});
console.log("labeller is up");
process.on("SIGTERM", async () => { await receiver.close(); await bus.close(); process.exit(0); });
