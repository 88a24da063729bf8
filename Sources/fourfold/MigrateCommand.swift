/// `fourfold migrate`
let migrateCommand = Command(
    name: "migrate",
    summary: "Applies the SQL of the engine and the packs, then the schemas of graph and vectors.",
    flags: [:],
    details: """
        Each script runs once, in a transaction; a changed script is refused. Two at once are safe.
        """
) { settings in
    guard let database = Database(settings) else { return .failed }
    return runOnLoop { loop in
        let client = database.client(loop)
        defer { client.close() }
        guard await database.waitUntilReachable(client, loop) else { return .failed }
        guard let packs = await database.migrateAndCompile(client) else { return .failed }
        let schemas = StoreSchemas(settings, loop)
        defer { schemas.close() }
        return await schemas.apply(packs) ? .done : .failed
    }
}
