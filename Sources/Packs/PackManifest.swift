internal import JSON

/// `pack.json`, read strictly; ``PackCompiler`` adds what it leaves to PostgreSQL's catalog.
struct PackManifest {
    struct NamedEntity {
        var path: String
        var isRouted: Bool
        var isReadOnly: Bool
    }

    var name = ""
    var title = ""
    var schema = ""
    var ownerPath: String?
    var ownerColumn: String?
    var entities: [NamedEntity] = []
    var graph: GraphProjection?
    var vectors: [VectorClass] = []
    var dirtyRules: [DirtyRule] = []
    var export: ConnectionsExportRule?
    var live = LiveRules()

    private static let keys = [
        "name", "title", "schema", "owner", "entities", "relationships", "graph", "vectors",
        "maintained", "static", "dirty", "export",
    ] + liveKeys
    private static let entityKeys = [
        "table", "view", "key", "owner", "writeOnly", "appendOnly", "readOnly", "capture", "routes",
    ]

    /// Reads the document; `reader` then holds everything that is wrong with it.
    init(_ root: JSONValue, _ reader: inout ManifestReader) {
        _ = reader.object(root, "$", keys: PackManifest.keys)
        name = reader.required(root["name"], "name")
        title = reader.string(root["title"], "title") ?? name
        schema = reader.string(root["schema"], "schema") ?? name
        if schema != name {
            reader.complain("schema", "it differs from the name", "Leave it out.")
        }
        readOwner(root["owner"], &reader)
        readEntities(root["entities"], &reader)
        readGraph(root["graph"], &reader)
        readVectors(root["vectors"], &reader)
        readDirtyRules(root["dirty"], &reader)
        readExport(root["export"], &reader)
        live = PackManifest.liveRules(root, &reader)
        if live.configuration != nil, entities.contains(where: { $0.path == "configuration" }) {
            reader.complain(
                "entities.configuration", "the path is that of the pack's configuration",
                "Rename the entity; \"table\" names its table.")
        }
    }

    private mutating func readOwner(_ value: JSONValue?, _ reader: inout ManifestReader) {
        guard let value else { return }
        _ = reader.object(value, "owner", keys: ["entity", "column", "place"])
        ownerPath = reader.required(value["entity"], "owner.entity")
        ownerColumn = reader.required(value["column"], "owner.column")
    }

    /// Routes of every pack.
    private static let takenPaths: Set<String> = ["batch", "search", "events", "channels"]

    private mutating func readEntities(_ value: JSONValue?, _ reader: inout ManifestReader) {
        if value == nil { _ = reader.required(nil, "entities") }
        for (path, entity) in reader.object(value, "entities") {
            let place = "entities.\(path)"
            if !isPathSegment(path) {
                reader.complain(
                    place, "a path may hold a-z, 0-9 and -",
                    "Name the path; \"table\" names the table.")
            }
            if PackManifest.takenPaths.contains(path), entity["routes"]?.bool ?? true {
                reader.complain(
                    place, "the path stands for something else",
                    "Name another; \"table\" names the table.")
            }
            _ = reader.object(entity, place, keys: PackManifest.entityKeys)
            for key in ["table", "view", "key", "owner"] {
                _ = reader.string(entity[key], "\(place).\(key)")
            }
            for key in ["appendOnly", "readOnly", "capture", "routes"] {
                _ = reader.bool(entity[key], "\(place).\(key)")
            }
            _ = reader.strings(entity["writeOnly"], "\(place).writeOnly")
            entities.append(
                NamedEntity(
                    path: path, isRouted: entity["routes"]?.bool ?? true,
                    isReadOnly: entity["readOnly"]?.bool ?? (entity["view"] != nil)))
        }
    }

    private mutating func readGraph(_ value: JSONValue?, _ reader: inout ManifestReader) {
        guard let value else { return }
        _ = reader.object(value, "graph", keys: ["keyLabel", "nodes", "edges"])
        let keyLabel = reader.required(value["keyLabel"], "graph.keyLabel")
        let nodes = reader.object(value["nodes"], "graph.nodes").map { label, node in
            let place = "graph.nodes.\(label)"
            _ = reader.object(node, place, keys: ["entity", "view", "datetime", "point"])
            return NodeProjection(
                label: label, view: reader.required(node["view"], "\(place).view"),
                entityPath: reader.required(node["entity"], "\(place).entity"),
                dateTimeProperties: reader.strings(node["datetime"], "\(place).datetime"),
                points: PackManifest.points(node["point"], "\(place).point", &reader))
        }
        let edges = reader.object(value["edges"], "graph.edges").map { name, set in
            let place = "graph.edges.\(name)"
            _ = reader.object(set, place, keys: ["anchor", "view", "datetime", "types"])
            let types = reader.strings(set["types"], "\(place).types")
            if types.isEmpty {
                reader.complain("\(place).types", "there are none", "List the types of the view.")
            }
            return EdgeSet(
                name: name, view: reader.required(set["view"], "\(place).view"),
                anchorPath: reader.required(set["anchor"], "\(place).anchor"), types: types,
                dateTimeProperties: reader.strings(set["datetime"], "\(place).datetime"))
        }
        graph = GraphProjection(keyLabel: keyLabel, nodes: nodes, edges: edges)
    }

    private static func points(
        _ value: JSONValue?, _ place: String, _ reader: inout ManifestReader
    ) -> [PointProperty] {
        reader.object(value, place).compactMap { name, sources in
            let names = reader.strings(sources, "\(place).\(name)")
            guard names.count == 2 else {
                reader.complain(
                    "\(place).\(name)", "it must name two properties",
                    "Write [\"longitude\", \"latitude\"].")
                return nil
            }
            return PointProperty(name: name, longitude: names[0], latitude: names[1])
        }
    }

    private mutating func readVectors(_ value: JSONValue?, _ reader: inout ManifestReader) {
        vectors = reader.object(value, "vectors").map { name, vector in
            let place = "vectors.\(name)"
            _ = reader.object(vector, place, keys: ["entity", "view", "ownerProperty"])
            return VectorClass(
                name: name, view: reader.required(vector["view"], "\(place).view"),
                entityPath: reader.required(vector["entity"], "\(place).entity"),
                ownerProperty: reader.string(vector["ownerProperty"], "\(place).ownerProperty")
                    ?? camelCase(ownerColumn ?? "owner"),
                definition: "")
        }
    }

    private mutating func readDirtyRules(_ value: JSONValue?, _ reader: inout ManifestReader) {
        guard let value else { return }
        if value.kind != .array { reader.complain("dirty", "it must be a list", "Write [ … ].") }
        for (index, entry) in value.elements.enumerated() {
            let place = "dirty[\(index)]"
            _ = reader.object(entry, place, keys: ["on", "of", "lanes", "columns", "keys"])
            let target = reader.required(entry["of"], "\(place).of")
            let sql = reader.required(entry["keys"], "\(place).keys")
            _ = reader.strings(entry["columns"], "\(place).columns")
            let lanes = entry["lanes"].map { reader.strings($0, "\(place).lanes") }
            for lane in lanes ?? [] where !["graph", "vector", "live"].contains(lane) {
                reader.complain(
                    "\(place).lanes", "there is no lane \(lane)", "Use graph, vector, live.")
            }
            for source in reader.strings(entry["on"], "\(place).on") {
                dirtyRules.append(
                    DirtyRule(sourcePath: source, targetPath: target, lanes: lanes, sql: sql))
            }
        }
    }

    private mutating func readExport(_ value: JSONValue?, _ reader: inout ManifestReader) {
        guard let value else { return }
        _ = reader.object(value, "export", keys: ["table", "key", "excludeTypes"])
        export = ConnectionsExportRule(
            table: reader.required(value["table"], "export.table"),
            keyColumn: reader.required(value["key"], "export.key"),
            excludedTypes: reader.strings(value["excludeTypes"], "export.excludeTypes"))
    }
}

func isPathSegment(_ text: String) -> Bool {
    !text.isEmpty
        && text.utf8.allSatisfy { byte in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || byte == UInt8(ascii: "-")
        }
}

/// `user_id` as `userId`.
private func camelCase(_ name: String) -> String {
    let words = name.split(separator: "_")
    return (words.first.map(String.init) ?? "")
        + words.dropFirst().map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
}
