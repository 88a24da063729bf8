internal import Postgres

extension LaneRunner {
    /// Reconciles every entity, from the step and key where an earlier leader stopped.
    func resync(from stepName: String?, after key: String?) async throws(LaneError) {
        if store.tellsChanges {
            try await store.reconcile(
                nil, try await makePermit(), deadline: configuration.requestDeadline)
        }
        var steps = store.resyncSteps[...]
        var after = ""
        if let stepName, let index = steps.firstIndex(where: { $0.name == stepName }) {
            steps = steps[index...]
            after = key ?? ""
        } else if try await store.holdsNothing(deadline: configuration.requestDeadline) {
            steps = store.resyncSteps.filter { !$0.isSweep }[...]
        }
        for step in steps {
            try await walk(step, after: after) { last, count async throws(LaneError) in
                try await self.move(
                    LaneStatements.advanceResync,
                    [.text(step.name), .text(last), .int(Int64(count))])
            }
            after = ""
        }
    }

    /// Reconciles one entity within a page.
    func resync(entity: String, origins: PageOrigins) async throws(LaneError) {
        if store.tellsChanges {
            try await store.reconcile(
                entity, try await makePermit(), deadline: configuration.requestDeadline)
        }
        for step in store.resyncSteps where step.entity == entity {
            try await walk(step, after: "", origins) { _, _ async throws(LaneError) in }
        }
    }

    /// Feeds the keys of one step through the ordinary way of dirty keys: read the view, make the
    /// store equal to it. So it can run beside changes, and be repeated.
    private func walk(
        _ step: ResyncStep, after start: String, _ origins: PageOrigins = PageOrigins(),
        _ done: (_ last: String, _ count: Int) async throws(LaneError) -> Void
    ) async throws(LaneError) {
        var after = start
        while true {
            let (keys, last) = try await self.keys(step, after: after)
            guard let last else { return }
            for part in DirtyKeys(changed: Set(keys)).chunks(of: configuration.chunkKeyCountMax) {
                let chunk = LaneChunk([(step.entity, part)], parts: step.parts)
                for poison in try await apply(chunk, try await makePermit()) {
                    try await park(poison, origins)
                }
            }
            try await done(last, keys.count)
            after = last
        }
    }

    /// The next keys of a step to be applied, and where the page ended; nil after the last.
    private func keys(
        _ step: ResyncStep, after: String
    ) async throws(LaneError) -> (keys: [String], last: String?) {
        let limit = configuration.resyncKeyCountMax
        switch step.source {
        case .view(let first, let next):
            let keys =
                after.isEmpty
                ? try await list(first, [.int(Int64(limit))])
                : try await list(next, [.text(after), .int(Int64(limit))])
            return (keys, keys.last)
        case .store(let absent):
            let page = try await store.storeKeys(
                step, after: after, limit: limit, deadline: configuration.requestDeadline)
            if page.keys.isEmpty { return ([], page.last) }
            // What the view has was applied by an earlier step.
            let keys = [Parameter.textArray(page.keys), .textArray(page.keys)]
            return (try await list(absent, keys), page.last)
        }
    }

    private func list(
        _ statement: Statement, _ parameters: [Parameter]
    ) async throws(LaneError) -> [String] {
        do {
            return try await postgres.withConnection(deadline: configuration.requestDeadline) {
                connection in
                let result = try await connection.query(statement, parameters)
                return (0..<result.rowCount).compactMap { result.string($0, 0) }
            }
        } catch {
            throw LaneError(error)
        }
    }
}
