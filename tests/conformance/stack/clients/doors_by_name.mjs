// Puts a blob into an account, and asks a model, that it knows by their production names only.
import { createRequire } from "node:module";

const [modules, account, resource, text] = process.argv.slice(2);
const { BlobServiceClient } = createRequire(`${modules}/`)("@azure/storage-blob");
const key = process.env.AZURE_STORAGE_CONNECTION_STRING.match(/AccountKey=([^;]+)/)[1];
const production = `DefaultEndpointsProtocol=https;AccountName=${account};AccountKey=${key};EndpointSuffix=core.windows.net`;

await BlobServiceClient.fromConnectionString(production).getContainerClient("images").uploadBlockBlob("node", text, text.length);
const answer = await fetch(`https://${resource}.openai.azure.com/openai/v1/chat/completions`, {
  method: "POST",
  headers: { "api-key": process.env.AZURE_OPENAI_API_KEY, "content-type": "application/json" },
  body: JSON.stringify({ model: "gpt", messages: [{ role: "user", content: "hello" }] }),
});
const said = (await answer.json()).choices[0].message.content;
if (said !== "good day") throw new Error(said);
console.log(JSON.stringify({ event: "sent" }));
