from nasdsl.cli import main

main(["lsp", "--help"])
