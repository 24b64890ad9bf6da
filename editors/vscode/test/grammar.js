"use strict";

// Tokenizes .nas files with the grammar, as the editor does.
//
//   node test/grammar.js                 checks what stands in test/expected.json, and all files
//   node test/grammar.js --scopes FILE   prints "line:column text scope" for each token

const fs = require("fs");
const path = require("path");
const { Registry, parseRawGrammar, INITIAL } = require("vscode-textmate");
const { loadWASM, OnigScanner, OnigString } = require("vscode-oniguruma");

const here = path.resolve(__dirname, "..");
const root = path.resolve(here, "..", "..");

async function grammar() {
  const wasm = fs.readFileSync(require.resolve("vscode-oniguruma/release/onig.wasm"));
  await loadWASM(wasm.buffer.slice(wasm.byteOffset, wasm.byteOffset + wasm.byteLength));
  const file = path.join(here, "syntaxes", "nas.tmLanguage.json");
  const registry = new Registry({
    onigLib: Promise.resolve({
      createOnigScanner: (patterns) => new OnigScanner(patterns),
      createOnigString: (text) => new OnigString(text),
    }),
    loadGrammar: async () => parseRawGrammar(fs.readFileSync(file, "utf8"), file),
  });
  return registry.loadGrammar("source.nas");
}

function tokens(found, text) {
  const all = [];
  let state = INITIAL;
  text.split(/\r\n|\n/).forEach((line, number) => {
    const result = found.tokenizeLine(line, state);
    state = result.ruleStack;
    for (const { startIndex, endIndex, scopes } of result.tokens) {
      const written = line.slice(startIndex, endIndex);
      if (written.trim()) {
        all.push({ line: number + 1, column: startIndex + 1, text: written, scopes: scopes.slice(1) });
      }
    }
  });
  return all;
}

function files(folder) {
  return fs
    .readdirSync(path.join(root, folder))
    .filter((name) => name.endsWith(".nas"))
    .map((name) => path.join(root, folder, name));
}

async function main() {
  const found = await grammar();
  if (process.argv[2] === "--scopes") {
    for (const t of tokens(found, fs.readFileSync(process.argv[3], "utf8"))) {
      console.log(`${t.line}:${t.column}\t${t.text}\t${t.scopes.join(" ")}`);
    }
    return 0;
  }
  let wrong = 0;
  const complain = (message) => {
    wrong += 1;
    console.error(message);
  };
  // Each case: a line, and the scope that each named word must have.
  const cases = JSON.parse(fs.readFileSync(path.join(__dirname, "expected.json"), "utf8"));
  for (const { text, expect } of cases) {
    const made = tokens(found, text);
    for (const [word, scope] of Object.entries(expect)) {
      const token = made.find((t) => t.text.trim() === word);
      const scopes = token ? token.scopes.join(" ") : "no such token";
      if (!scopes.includes(scope)) {
        complain(`${JSON.stringify(text)}: '${word}' is ${scopes || "without a scope"}, not ${scope}`);
      }
    }
  }
  // Every character of a shipped file that is no blank has a scope, and none is illegal.
  const all = ["spaces", "examples"].flatMap(files);
  for (const file of all) {
    for (const t of tokens(found, fs.readFileSync(file, "utf8"))) {
      if (!t.scopes.length || t.scopes.some((scope) => scope.startsWith("invalid"))) {
        complain(`${file}:${t.line}:${t.column}: '${t.text}' is ${t.scopes.join(" ") || "without a scope"}`);
      }
    }
  }
  console.log(`${cases.length} cases, ${all.length} files, ${wrong} mistakes`);
  return wrong ? 1 : 0;
}

main().then((code) => process.exit(code));
