internal import Neo4j
internal import Packs
internal import Postgres
internal import Projection
internal import Runtime

/// Exports the connections of a pack at a steady period, counted from the last export of any
/// process: a restart neither skips one nor adds one.
struct ExportSchedule: Sendable {
    /// After a failure it is tried again this soon.
    private static let retryPeriod = Duration.seconds(60)

    let pack: Pack
    let period: Duration
    let postgres: PostgresClient
    let neo4j: Neo4jClient?

    func start(on loop: EventLoop) {
        loop.spawn {
            while !Task.isCancelled {
                do throws(LaneError) {
                    let age = try await ConnectionsExport.age(pack: pack, postgres: postgres)
                    if let age, age < period {
                        try? await loop.sleep(for: period - age)
                    } else {
                        try await export()
                    }
                } catch {
                    Log.warning(
                        "the export of connections failed", ("pack", pack.name),
                        ("error", error.code))
                    try? await loop.sleep(for: min(period, ExportSchedule.retryPeriod))
                }
            }
        }
    }

    private func export() async throws(LaneError) {
        let export = try ConnectionsExport(pack: pack, postgres: postgres, neo4j: neo4j)
        let summary = try await export.run(deadline: .after(exportTimeout))
        Log.info(
            "connections exported", ("pack", pack.name), ("nodes", String(summary.nodes)),
            ("edges", String(summary.edges)), ("unknown", String(summary.unknown)))
    }
}
