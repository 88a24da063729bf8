internal import Gateway
internal import HTTPClient
internal import Neo4j
internal import Packs
internal import Postgres
internal import Projection
internal import Runtime
internal import Weaviate

/// Compares the lag of the lanes with the budget once a second, whichever process leads them.
struct LagWatch: Sendable {
    let packs: [Pack]
    let budget: Duration
    let overload: LaneOverload
    let reader: SyncReader

    func start(on loop: EventLoop) {
        loop.spawn {
            while !Task.isCancelled {
                let lanes = try? await reader.status(
                    packs: packs, local: [], deadline: .after(.seconds(5)))
                // Without Redis entities answer as ever, and what was to be told is told later.
                let lagSeconds =
                    lanes?.filter { $0.lane != .live }.map(\.lagSeconds).max() ?? 0
                overload.update(lag: .seconds(lagSeconds), budget: budget)
                try? await loop.sleep(for: .seconds(1))
            }
        }
    }
}
