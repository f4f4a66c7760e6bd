// Makes one file of Azurite's blob service: node bundle.mjs <folder with node_modules> <output folder>
//
// The SQL metadata store and the telemetry are replaced by a stub: they are two thirds of the start-up time and are never
// used in memory (telemetry is also switched off on the command line). Two lines of Azurite are mended, as MENDED tells.
// Beside the bundle goes NOTICES.txt, the licences of every package that went into it.
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

// Every ten minutes Azurite collects the contents that no blob has any more. It removes them one by one, each time with all
// indices built anew, and answers nobody meanwhile: 8,000 took a minute. And it spares none that a blob is just about to
// get, as it asks for their age by a name that they do not have.
const MENDED = [
  ["return coll.findAndRemove({ id: extentId });", "await new Promise(setImmediate); const found = coll.findOne({ id: extentId }); if (found) coll.remove(found);"],
  ["LastModifyInMS", "lastModifiedInMS"],
];
let unmended = MENDED.length;
const mended = {
  name: "mended",
  setup(build) {
    build.onLoad({ filter: /[\\/]azurite[\\/].*[\\/]LokiExtentMetadataStore\.js$/ }, ({ path }) => {
      let contents = readFileSync(path, "utf8");
      for (const [wrong, right] of MENDED) {
        if (!contents.includes(wrong)) continue;
        contents = contents.replaceAll(wrong, right);
        unmended -= 1;
      }
      return { contents, loader: "js" };
    });
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
  plugins: [stubs, mended],
});

const folders = new Set(
  Object.keys(metafile.inputs)
    .map((path) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1])
    .filter(Boolean),
);
if (unmended) throw new Error("this Azurite reads otherwise than the one that MENDED is for: look whether it still needs it");
const notices = [...folders].sort().map((folder) => {
  const path = join(source, folder);
  const { name, version, license } = JSON.parse(readFileSync(join(path, "package.json"), "utf8"));
  const files = readdirSync(path).filter((file) => /^(licen[cs]e|copying|notice|thirdparty)/i.test(file) && statSync(join(path, file)).isFile());
  const texts = files.map((file) => readFileSync(join(path, file), "utf8").trim());
  return [`${name} ${version} (${license ?? "licence not declared"})`, ...texts].join("\n\n");
});
writeFileSync(join(target, "NOTICES.txt"), notices.join(`\n\n${"-".repeat(100)}\n\n`) + "\n");
if (!existsSync(join(target, "azurite-blob.cjs"))) process.exit(1);
