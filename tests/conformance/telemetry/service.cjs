// Takes orders, and tells of them by OpenTelemetry's or Azure Monitor's package for Node.js, as the environment says.
const { metrics, trace, SpanStatusCode } = require("@opentelemetry/api");
const { HttpInstrumentation } = require("@opentelemetry/instrumentation-http");

if (process.env.BY === "opentelemetry") {
  const { NodeSDK } = require("@opentelemetry/sdk-node");
  new NodeSDK({ instrumentations: [new HttpInstrumentation()] }).start();
} else {
  require("@azure/monitor-opentelemetry").useAzureMonitor({ enableLiveMetrics: false });
}

const http = require("http");
const taken = metrics.getMeter("orders").createCounter("orders.taken", { unit: "{order}" });
http
  .createServer((request, response) => {
    if (request.url === "/orders") {
      taken.add(1);
      trace.getTracer("orders").startActiveSpan("check", (span) => {
        span.setAttribute("order", "17");
        span.setStatus({ code: SpanStatusCode.ERROR, message: "no such order" });
        span.end();
      });
    }
    response.end("{}");
  })
  .listen(Number(process.env.PORT), "127.0.0.1");
