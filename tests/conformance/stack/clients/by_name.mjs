// Sends its own text to a namespace that it knows by its production name only: over AMQP, WebSocket and HTTPS.
import { createRequire } from "node:module";

const [modules, name, text] = process.argv.slice(2);
const required = createRequire(`${modules}/`);
const { ServiceBusClient, ServiceBusAdministrationClient } = required("@azure/service-bus");
const connection = process.env.AZURE_SERVICEBUS_CONNECTION_STRING.replace(
  /Endpoint=[^;]+/,
  `Endpoint=sb://${name}.servicebus.windows.net`,
).replace("UseDevelopmentEmulator=true;", "");

for (const webSocketOptions of [undefined, { webSocket: WebSocket }]) {
  const client = new ServiceBusClient(connection, { webSocketOptions });
  await client.createSender("jobs").sendMessages({ body: text });
  await client.close();
}
await new ServiceBusAdministrationClient(connection).getQueue("jobs");
console.log(JSON.stringify({ event: "sent" }));
