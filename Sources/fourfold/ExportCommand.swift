internal import HTTPClient
internal import JSON
internal import Neo4j
internal import Packs
internal import Postgres
internal import Projection
internal import Runtime
internal import Settings

/// `fourfold export-connections`
let exportConnectionsCommand = Command(
    name: "export-connections",
    summary: "Reads the degrees of nodes from the graph and replaces them in PostgreSQL.",
    flags: ["--pack": true],
    details: """
        --pack NAME  the pack; may be left out where only one has an export
        Prints one JSON line. The old numbers stay if it fails (exit code 2). Two at once are safe.
        """
) { settings in
    guard let database = Database(settings) else { return .failed }
    return runOnLoop { loop in
        let client = database.client(loop)
        let http = HTTPClient(loop: loop)
        defer {
            client.close()
            http.close()
        }
        guard await database.waitUntilReachable(client, loop) else { return .failed }
        guard let pack = await exportedPack(settings, database, client) else { return .failed }
        let neo4j = neo4jConfiguration(settings).map {
            Neo4jClient(client: http, configuration: $0)
        }
        do throws(LaneError) {
            let export = try ConnectionsExport(pack: pack, postgres: client, neo4j: neo4j)
            let summary = try await export.run(deadline: .after(exportTimeout))
            print(String(decoding: summary.json, as: UTF8.self))
            return .done
        } catch {
            complain("the export failed, the old numbers stay: \(error.code)")
            return .failed
        }
    }
}

/// The longest an export may take.
let exportTimeout = Duration.seconds(3_600)

/// The pack that the command line names, or the only one with an export.
private func exportedPack(
    _ settings: Settings, _ database: Database, _ client: PostgresClient
) async -> Pack? {
    var packs: [Pack] = []
    do {
        packs = try await client.withConnection(deadline: .after(.seconds(60))) { connection in
            var packs: [Pack] = []
            for name in database.packNames {
                packs.append(
                    try await PackCompiler(files: database.files).compile(name, on: connection))
            }
            return packs
        }
    } catch {
        complain(error, client)
        return nil
    }
    let candidates = packs.filter { $0.export != nil }
    if let index = settings.arguments.firstIndex(of: "--pack") {
        let name = settings.arguments[index + 1]
        if let pack = candidates.first(where: { $0.name == name }) { return pack }
        complain("no pack named \(name) has an export")
        return nil
    }
    if candidates.count == 1 { return candidates[0] }
    complain("--pack must name one of: \(candidates.map(\.name).joined(separator: ", "))")
    return nil
}
