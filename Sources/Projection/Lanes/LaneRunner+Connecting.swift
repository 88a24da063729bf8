internal import Postgres

extension LaneRunner {
    /// - Returns: False when another process leads.
    func claimLease() async throws(LaneError) -> Bool {
        let store = try await self.store.identify(deadline: configuration.requestDeadline)
        let lane: [Parameter] = [.text(pack.name), .text(self.store.name.rawValue)]
        do throws(PostgresError) {
            let deadline = configuration.requestDeadline
            let changed = try await postgres.query(
                LaneStatements.databaseChanged, deadline: deadline)
            if changed.bool(0, 0) == true {
                _ = try await postgres.query(
                    LaneStatements.adoptDatabase, [.int(store.revision)], deadline: deadline)
            }
            let before = try await postgres.query(LaneStatements.holder, lane, deadline: deadline)
            // A lease that was given back left no request under way.
            if before.rowCount > 0, let last = before.string(0, 0), last != holder {
                mustRepeat = true
            }
            lease = try await LaneLease.claim(
                pack: pack.name, lane: self.store.name, store: store.identity, holder: holder,
                postgres: postgres, loop: loop, configuration: configuration)
        } catch {
            throw .postgres(error)
        }
        return lease != nil
    }

    /// Finds out where the lane stands, shuts earlier leaders out, and reconciles what is new.
    func connectStore() async throws(LaneError) {
        let row = try await query(
            LaneStatements.cursor, [.text(pack.name), .text(store.name.rawValue)])
        guard row.rowCount > 0, let done = row.string(0, 3) else { throw .leaseLost }
        cursor = LaneCursor(
            done: done, goal: row.string(0, 4), xid: row.string(0, 5) ?? "0",
            position: row.int(0, 6) ?? 0)
        if cursor.goal == nil { cursor = LaneCursor(done: done) }
        page = nil
        prefetched = nil
        // Before the store is asked for anything: what is written from now on is not lost, however
        // long the store is away.
        let isNew = row.bool(0, 0) == true
        if isNew {
            let begun = try await query(LaneStatements.beginResync, laneParameters)
            guard begun.rowCount > 0, let goal = begun.string(0, 0) else { throw .leaseLost }
            cursor = LaneCursor(done: goal)
        }
        try await raiseFence()
        if !store.mustRepeatAfterTakeover {
            // Where the lane wrote to another store before, nobody would carry out a plan.
            try await query(LaneStatements.dropRepeat, laneParameters)
        } else if mustRepeat {
            try await query(
                LaneStatements.planRepeat,
                laneParameters + [.double(configuration.storeWriteTimeout.inSeconds)])
        }
        mustRepeat = false
        let parked = try await query(
            LaneStatements.parkedCount, [.text(pack.name), .text(store.name.rawValue)])
        parkedCount = parked.int(0, 0) ?? 0
        if isNew {
            try await resync(from: row.string(0, 1), after: row.string(0, 2))
            try await move(LaneStatements.finishResync, [])
            progress()
        }
        try await resume(isNew: isNew)
        recovered()
    }

    /// Goes on where the store's own copy of the cursor says, and PostgreSQL's follows.
    private func resume(isNew: Bool) async throws(LaneError) {
        guard store.tellsChanges else { return }
        let permit = try await makePermit()
        let ahead = try await store.resume(
            at: cursor, isNew: isNew, permit, deadline: configuration.requestDeadline)
        if ahead == cursor { return }
        if ahead.done != cursor.done {
            try await move(LaneStatements.finishGoal, [.text(ahead.done), .int(0)])
        }
        if let goal = ahead.goal {
            try await move(
                LaneStatements.advance,
                [.text(goal), .text(ahead.xid), .int(ahead.position), .int(0)])
        }
        cursor = ahead
        progress()
    }

    private func raiseFence() async throws(LaneError) {
        let permit = try await makePermit()
        do throws(LaneError) {
            try await store.raiseFence(permit, deadline: configuration.requestDeadline)
        } catch {
            guard case .leaseLost = error else { throw error }
            // A later revision stands there. Either another leads; or this database is an older one
            // than the store knew, and its revisions must be raised above the store's.
            guard let lease else { throw error }
            try await lease.renew()
            let store = try await self.store.identify(deadline: configuration.requestDeadline)
            try await query(LaneStatements.raiseRevision, [.int(store.revision)])
            let next = try await makePermit()
            try await self.store.raiseFence(next, deadline: configuration.requestDeadline)
        }
    }
}
