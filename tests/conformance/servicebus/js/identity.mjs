// @azure/identity against the endpoint of a managed identity: one JSON line with who each credential turns out to be.
import { createRequire } from "node:module";

const [modules, ids] = [process.argv[2], JSON.parse(process.argv[3])];
const { DefaultAzureCredential, ManagedIdentityCredential } = createRequire(`${modules}/`)("@azure/identity");
const credentials = {
  default: () => new DefaultAzureCredential(),
  system: () => new ManagedIdentityCredential(),
  client: () => new ManagedIdentityCredential({ clientId: ids.client }),
  object: () => new ManagedIdentityCredential({ objectId: ids.object }),
  resource: () => new ManagedIdentityCredential({ resourceId: ids.resource }),
  unknown: () => new ManagedIdentityCredential({ clientId: "nobody" }),
};
const found = {};
for (const [name, make] of Object.entries(credentials)) {
  try {
    const { token } = await make().getToken("https://servicebus.azure.net/.default");
    found[name] = JSON.parse(Buffer.from(token.split(".")[1], "base64url")).appid;
  } catch (error) {
    found[name] = error.name;
  }
}
console.log(JSON.stringify(found));
