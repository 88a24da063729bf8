package import Packs

extension Pack {
    /// Whether rows of an entity have a place of their own in a lane's store.
    package func projects(_ entity: String, in lane: LaneName) -> Bool {
        switch lane {
        case .graph:
            graph?.nodes.contains { $0.entityPath == entity } ?? false
                || graph?.edges.contains { $0.anchorPath == entity } ?? false
        case .vector: !classes(of: entity).isEmpty
        case .live: live.followedEntities.contains(entity)
        }
    }

    /// The vector classes of an entity.
    package func classes(of entity: String) -> [VectorClass] {
        vectors?.classes.filter { $0.entityPath == entity } ?? []
    }

    /// Entities whose changes mean work for a lane: those it projects and those that dirty them.
    package func sources(of lane: LaneName) -> [String] {
        let named = dirtyRules.flatMap { [$0.sourcePath, $0.targetPath] }
        let paths = Set(entities.map(\.path) + named)
        let rules = dirtyRules.filter { rule in
            rule.lanes?.contains(lane.rawValue) ?? true && projects(rule.targetPath, in: lane)
        }
        let sources = Set(rules.map(\.sourcePath))
        let own = graph.map { $0.nodes.map(\.entityPath) + $0.edges.map(\.anchorPath) } ?? []
        let classes = vectors?.classes.map(\.entityPath) ?? []
        return paths.union(own).union(classes)
            .union(live.followedEntities)
            .filter { sources.contains($0) || projects($0, in: lane) }.sorted()
    }
}
