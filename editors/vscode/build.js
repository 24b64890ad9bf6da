"use strict";

// Bundles the extension into one file, with the licenses of what is bundled beside it.

const fs = require("fs");
const path = require("path");
const esbuild = require("esbuild");

const result = esbuild.buildSync({
  entryPoints: ["src/extension.js"],
  bundle: true,
  platform: "node",
  external: ["vscode"],
  outfile: "out/extension.js",
  minify: true,
  metafile: true,
});
const folders = Object.keys(result.metafile.inputs)
  .map((file) => file.match(/^.*node_modules\/(@[^/]+\/)?[^/]+/)?.[0])
  .filter(Boolean);
const notices = [...new Set(folders)].sort().map((folder) => {
  const { name, version } = JSON.parse(fs.readFileSync(path.join(folder, "package.json"), "utf8"));
  const file = fs.readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  if (!file) throw new Error(`${name} has no license file`);
  return `${name} ${version}\n\n${fs.readFileSync(path.join(folder, file), "utf8").trim()}\n`;
});
fs.writeFileSync("out/third-party.txt", notices.join(`\n${"-".repeat(80)}\n\n`));
fs.copyFileSync("../../LICENSE", "LICENSE");
console.log(`out/extension.js, with ${notices.length} packages`);
