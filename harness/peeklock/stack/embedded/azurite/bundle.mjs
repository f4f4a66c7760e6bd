// Makes one file of Azurite's blob service: node bundle.mjs <folder with node_modules> <output folder>
//
// The SQL metadata store and the telemetry are replaced by a stub: they are two thirds of the start-up time and are never
// used in memory (telemetry is also switched off on the command line). Beside the bundle goes NOTICES.txt, the licences of
// every package that went into it.
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

const [source, target] = process.argv.slice(2).map((path) => resolve(path));
const esbuild = createRequire(join(source, "package.json"))("esbuild");
const STUBBED = /^(sequelize|tedious|mysql2|applicationinsights)(\/.*)?$/;
const STUB = `
  const stub = new Proxy(function () {}, {
    get: (to, name) => (name === "prototype" ? to.prototype : name === "__esModule" ? false : stub),
    apply: () => stub,
  });
  module.exports = stub;`;

const stubs = {
  name: "stubs",
  setup(build) {
    build.onResolve({ filter: STUBBED }, ({ path }) => ({ path, namespace: "stub" }));
    build.onLoad({ filter: /.*/, namespace: "stub" }, () => ({ contents: STUB, loader: "js" }));
  },
};

mkdirSync(target, { recursive: true });
const { metafile } = await esbuild.build({
  absWorkingDir: source,
  entryPoints: [join(source, "node_modules/azurite/dist/src/blob/main.js")],
  outfile: join(target, "azurite-blob.cjs"),
  bundle: true,
  platform: "node",
  target: "node20",
  minify: true,
  keepNames: true,
  legalComments: "none",
  logLevel: "error",
  metafile: true,
  external: ["pg-hstore"],
  plugins: [stubs],
});

const folders = new Set(
  Object.keys(metafile.inputs)
    .map((path) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1])
    .filter(Boolean),
);
const notices = [...folders].sort().map((folder) => {
  const path = join(source, folder);
  const { name, version, license } = JSON.parse(readFileSync(join(path, "package.json"), "utf8"));
  const files = readdirSync(path).filter((file) => /^(licen[cs]e|copying|notice|thirdparty)/i.test(file) && statSync(join(path, file)).isFile());
  const texts = files.map((file) => readFileSync(join(path, file), "utf8").trim());
  return [`${name} ${version} (${license ?? "licence not declared"})`, ...texts].join("\n\n");
});
writeFileSync(join(target, "NOTICES.txt"), notices.join(`\n\n${"-".repeat(100)}\n\n`) + "\n");
if (!existsSync(join(target, "azurite-blob.cjs"))) process.exit(1);
