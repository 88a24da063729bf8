internal import Postgres

extension LaneRunner {
    /// Writes down that the store refuses a key, of which transactions, and when to try again.
    ///
    /// - Parameter origins: Of the page that made it dirty; without one the parked row keeps those
    ///   that it has.
    func park(
        _ poison: PoisonKey, _ origins: PageOrigins = PageOrigins()
    ) async throws(LaneError) {
        let before = try await query(
            LaneStatements.parkedAttempts,
            [
                .text(pack.name), .text(store.name.rawValue), .text(poison.entity),
                .text(poison.key),
            ])
        let attempts = before.rowCount > 0 ? Int(before.int(0, 0) ?? 0) : 0
        let delay = configuration.parkedBackoff.delay(
            attempt: attempts + 1, jitter: .random(in: 0..<1))
        try await move(
            LaneStatements.park,
            [
                .text(poison.entity), .text(poison.key), .text(poison.code),
                .double(delay.inSeconds),
                .textArray(origins.xids(entity: poison.entity, key: poison.key)),
            ])
        parkedCount += 1
    }

    /// Takes away parked keys of a chunk that went through.
    func unpark(_ chunk: LaneChunk, except poison: [PoisonKey]) async throws(LaneError) {
        guard parkedCount > 0 else { return }
        for (entity, keys) in chunk.entities {
            let refused = Set(poison.filter { $0.entity == entity }.map(\.key))
            let passed = keys.keys.filter { !refused.contains($0) }
            if passed.isEmpty { continue }
            try await query(
                LaneStatements.unpark, laneParameters + [.text(entity), .textArray(passed)])
        }
    }

    /// Tries parked keys that are due.
    func retryParked() async throws(LaneError) {
        let due = try await query(
            LaneStatements.parkedDue,
            [
                .text(pack.name), .text(store.name.rawValue),
                .int(Int64(configuration.parkedRetryCountMax)),
            ])
        var keys: [String: Set<String>] = [:]
        for row in 0..<due.rowCount {
            guard let entity = due.string(row, 0), let key = due.string(row, 1) else { continue }
            keys[entity, default: []].insert(key)
        }
        if keys.isEmpty { return }
        prefetched = nil
        let permit = try await makePermit()
        for (entity, keys) in keys.sorted(by: { $0.key < $1.key }) {
            let chunk = LaneChunk([(entity, DirtyKeys(changed: keys))])
            for poison in try await apply(chunk, permit) { try await park(poison) }
        }
    }
}
