"""One file per subcommand; each imports what it needs only when it runs."""
