/// Every command, in the order of the usage text.
let commands: [Command] = [
    serveCommand, migrateCommand, exportConnectionsCommand, packsCheckCommand,
]
