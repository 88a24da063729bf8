extension LaneRunner {
    /// Makes the store equal to the views for the keys of a chunk.
    ///
    /// - Parameter work: What was read of the chunk already.
    /// - Returns: Keys to be parked: the store refuses them, or their views cannot be read.
    func apply(
        _ chunk: LaneChunk, _ permit: LanePermit, work: Store.Work? = nil
    ) async throws(LaneError) -> [PoisonKey] {
        try checkStop()
        try permit.check()
        let current: Store.Work
        do throws(LaneError) {
            if let work { current = work } else { current = try await reader.read(chunk) }
        } catch {
            guard error.isRowFault else { throw error }
            if !store.tellsChanges { return try await bisect(chunk, permit, error) }
            // What a lane tells goes out in one piece, with its cursor.
            current = try await reader.read(chunk, isCareful: true)
        }
        let refused = try await store.apply(
            current, permit, deadline: configuration.requestDeadline)
        try await unpark(chunk, except: refused)
        return refused
    }

    /// Halves a chunk whose views cannot be read until the rows at fault are alone.
    private func bisect(
        _ chunk: LaneChunk, _ permit: LanePermit, _ error: LaneError
    ) async throws(LaneError) -> [PoisonKey] {
        if chunk.keyCount == 1 {
            return chunk.entities.flatMap { path, keys in
                keys.keys.map { PoisonKey(entity: path, key: $0, code: error.code) }
            }
        }
        var poison: [PoisonKey] = []
        for half in chunk.halves { poison += try await apply(half, permit) }
        return poison
    }
}
