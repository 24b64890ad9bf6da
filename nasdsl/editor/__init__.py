"""Services for writing texts: the language server, and a lexer for Pygments."""
