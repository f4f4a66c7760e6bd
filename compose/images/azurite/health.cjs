// Healthy: Azurite answers a request, whatever it says to one without a key.
const request = require("http").get("http://127.0.0.1:10000/?comp=list", { timeout: 2000 }, (answer) => {
  process.exit(/Azurite/.test(answer.headers.server ?? "") ? 0 : 1);
});
request.on("timeout", () => process.exit(1));
request.on("error", () => process.exit(1));
