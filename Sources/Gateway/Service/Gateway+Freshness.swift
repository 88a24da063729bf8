internal import Packs
internal import Postgres
internal import Projection
internal import Runtime

/// Consistency tokens and back-pressure: what a request may expect of the lanes.
extension Gateway {
    /// The lanes among `lanes` whose store has not applied the token's write, after waiting as long
    /// as `Prefer: wait` allows. Empty without a token.
    func lagging(
        _ context: RequestContext, _ pack: ServedPack, _ lanes: [LaneName]
    ) async throws(Problem) -> [String] {
        guard let token = try context.token() else { return [] }
        let lanes = lanes.filter { !stores.sync.readsViews($0) }
        // A token of another life of the database proves nothing about this one.
        if token.origin != configuration.tokenOrigin { return lanes.map(\.rawValue) }
        let wait = Duration.milliseconds(context.preferences.waitMilliseconds ?? 0)
        // Leaves time to answer after the wait.
        let end = min(Deadline.after(wait), Deadline.after(context.deadline.remaining * 9 / 10))
        var lagging: [String] = []
        for lane in lanes {
            do throws(PostgresError) {
                let isApplied = try await stores.sync.waitUntilApplied(
                    String(token.xid), pack: pack.pack, lane: lane, until: end,
                    deadline: context.deadline)
                if !isApplied { lagging.append(lane.rawValue) }
            } catch {
                throw Problem(error)
            }
        }
        return lagging
    }

    /// Refuses writes while a lane is further behind than the budget.
    func requireRoom() throws(Problem) {
        guard let delay = stores.overload.retryAfter else { return }
        throw .unavailable(
            .lanesBehind, "A projection is further behind than the configured budget.",
            hint: "Nothing was done. Repeat the request later.", retryAfter: delay)
    }
}
