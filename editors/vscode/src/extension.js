"use strict";

// Starts the language server that comes with nasdsl and connects the editor to it.

const vscode = require("vscode");
const { LanguageClient, TransportKind } = require("vscode-languageclient/node");

let client;

async function start() {
  const [command, ...args] = vscode.workspace.getConfiguration("nasdsl").get("command");
  const executable = { command, args, transport: TransportKind.stdio };
  client = new LanguageClient(
    "nasdsl",
    "nasdsl",
    { run: executable, debug: executable },
    { documentSelector: [{ language: "nas" }] },
  );
  try {
    await client.start();
  } catch (error) {
    client = undefined;
    const choice = await vscode.window.showErrorMessage(
      `The language server '${[command, ...args].join(" ")}' does not start: ${error.message}. ` +
        "Install it with: pip install 'nasdsl[lsp]'",
      "Open settings",
    );
    if (choice) {
      await vscode.commands.executeCommand("workbench.action.openSettings", "nasdsl.command");
    }
  }
}

async function stop() {
  const running = client;
  client = undefined;
  await running?.stop();
}

async function activate(context) {
  const restart = async () => {
    await stop();
    await start();
  };
  context.subscriptions.push(
    vscode.commands.registerCommand("nasdsl.restart", restart),
    vscode.workspace.onDidChangeConfiguration((change) =>
      change.affectsConfiguration("nasdsl.command") ? restart() : undefined,
    ),
  );
  await start();
}

module.exports = { activate, deactivate: stop };
