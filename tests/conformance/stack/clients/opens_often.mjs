// Opens a connection every 300 ms, sends a message over it, and tells whether that went well.
import { createRequire } from "node:module";

const { ServiceBusClient } = createRequire(`${process.argv[2]}/`)("@azure/service-bus");

async function once(number) {
  const client = new ServiceBusClient(process.env.AZURE_SERVICEBUS_CONNECTION_STRING, { retryOptions: { maxRetries: 0 } });
  let failure = null;
  try {
    await client.createSender("jobs").sendMessages({ body: number });
  } catch (error) {
    failure = `${error.name}: ${error.message}`;
  }
  await client.close().catch(() => {});
  console.log(JSON.stringify({ event: "opened", failure }));
}

let number = 0;
console.log("it begins");
setInterval(() => once(number++), 300);
