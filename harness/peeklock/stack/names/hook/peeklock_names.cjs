// Leads a service's production names to the environment that it runs in: see peeklock_names.py beside it.
// Every client of Node.js (tls, http, undici, rhea, ws) ends at net.Socket.connect.
"use strict";

const dns = require("node:dns");
const module_ = require("node:module");
const net = require("node:net");

const names = JSON.parse(process.env.PEEKLOCK_NAMES || "{}");
const addresses = new Map(Object.entries(names).map(([name, each]) => [name, each.address]));
const targets = new Map(Object.values(names).map((each) => [each.address, each.to]));
const addressOf = (host) => (typeof host === "string" ? addresses.get(host.toLowerCase().replace(/\.$/, "")) : undefined);

function targetOf(host) {
  return targets.get(addressOf(host) ?? host);
}

if (addresses.size > 0) {
  const connect = net.Socket.prototype.connect;
  net.Socket.prototype.connect = function (...args) {
    // net's own callers hand over one array: what net._normalizeArgs made of the arguments
    const normalized = Array.isArray(args[0]) ? args[0] : undefined;
    const given = normalized ? normalized[0] : args[0];
    if (given !== null && typeof given === "object") {
      const to = targetOf(given.host);
      if (to) {
        const [host, port] = to;
        const options = { ...given, host, port, lookup: undefined };
        if (normalized) normalized[0] = options;
        else args[0] = options;
      }
    } else if (typeof args[1] === "string") {
      const to = targetOf(args[1]);
      if (to) [args[1], args[0]] = to;
    }
    return connect.apply(this, args);
  };

  const lookup = dns.lookup;
  dns.lookup = function (host, ...rest) {
    return lookup.call(this, addressOf(host) ?? host, ...rest);
  };
  const promised = dns.promises.lookup;
  dns.promises.lookup = function (host, ...rest) {
    return promised.call(this, addressOf(host) ?? host, ...rest);
  };
  module_.syncBuiltinESMExports();
}
