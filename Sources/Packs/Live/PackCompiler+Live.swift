/// What of the live rules only the schema can tell.
extension PackCompiler {
    static func liveProblems(
        _ rules: LiveRules, entities: [Entity], file: String
    ) -> [PackProblem] {
        var problems: [PackProblem] = []
        func complain(_ place: String, _ message: String, _ remedy: String) {
            problems.append(PackProblem(file: file, place: place, message, remedy: remedy))
        }
        func find(_ path: String, _ place: String) -> Entity? {
            if let entity = entities.first(where: { $0.path == path }) { return entity }
            complain(place, "no entity \(path) is served", "Name one with routes.")
            return nil
        }
        for state in rules.states {
            let place = "states.\(state.name)"
            _ = find(state.entityPath, "\(place).of")
            guard let history = state.history,
                let entity = find(history.entityPath, "\(place).history.entity")
            else { continue }
            if entity.column(history.timeColumn) == nil {
                complain("\(place).history.time", "there is no such column", "Name a column.")
            }
            if entity.ownerColumn == nil || entity.isOwnerEntity || entity.isReadOnly {
                complain(
                    "\(place).history.entity", "its rows cannot belong to an owner",
                    "Name a table with the pack's owner column.")
            }
        }
        for cache in rules.caches { _ = find(cache.entityPath, "caches.\(cache.name).of") }
        return problems
    }
}
