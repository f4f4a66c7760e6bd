// Makes the viewer of src/: node bundle.mjs <folder with node_modules> <output folder>
//
// Beside viewer.js and viewer.css goes NOTICES.txt, the licences of the packages that went into them.
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const [modules, target] = process.argv.slice(2).map((path) => resolve(path));
const esbuild = createRequire(join(modules, "package.json"))("esbuild");
const source = join(dirname(fileURLToPath(import.meta.url)), "src");

mkdirSync(target, { recursive: true });
const { metafile } = await esbuild.build({
  absWorkingDir: modules,
  entryPoints: [
    ...["main.tsx", "style.css"].map((name) => ({ in: join(source, name), out: "viewer" })),
    ...["main.tsx", "style.css"].map((name) => ({ in: join(source, "live", name), out: "live" })),
  ],
  outdir: target,
  nodePaths: [join(modules, "node_modules")],
  bundle: true,
  format: "iife",
  target: "es2023",
  minify: true,
  charset: "utf8",
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "none",
  logLevel: "error",
  metafile: true,
});
const folders = new Set(Object.keys(metafile.inputs).map((path) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1]).filter(Boolean));
const notices = [...folders].sort().map((folder) => {
  const path = join(modules, folder);
  const { name, version, license } = JSON.parse(readFileSync(join(path, "package.json"), "utf8"));
  const texts = readdirSync(path).filter((file) => /^(licen[cs]e|notice)/i.test(file)).map((file) => readFileSync(join(path, file), "utf8").trim());
  return [`${name} ${version} (${license})`, ...texts].join("\n\n");
});
writeFileSync(join(target, "NOTICES.txt"), `${notices.join(`\n\n${"-".repeat(100)}\n\n`)}\n`);
