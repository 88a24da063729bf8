internal import JSON

/// Reads the operations of a batch and plans each; every mistake is found before the first runs.
struct BatchPlan {
    enum Kind: String, CaseIterable {
        case create, update, put, delete
    }

    struct Operation {
        let kind: Kind
        let served: ServedEntity
        let id: String?
        /// The value as JSON; empty for a deletion.
        let body: [UInt8]
        let query: PlannedQuery
    }

    let pack: ServedPack
    let limits: QueryLimits
    let owner: String?

    /// - Parameter requireWritable: Refuses entities that are not written.
    func plan(
        _ root: JSONValue,
        _ requireWritable: (ServedEntity, _ isChange: Bool) throws(Problem) -> Void
    ) throws(Problem) -> [Operation] {
        guard let list = root["operations"], list.kind == .array, root.count == 1 else {
            throw Problem(
                .invalidBody, "The body must be {\"operations\": [ … ]}.",
                errors: [FieldError("operations", "must be the only member, and an array")])
        }
        guard (1...limits.bodyRowCountMax).contains(list.count) else {
            throw Problem(
                list.count == 0 ? .invalidBody : .tooManyRows,
                "A batch holds 1 to \(limits.bodyRowCountMax) operations.",
                errors: [FieldError("operations", "holds none, or too many")])
        }
        var operations: [Operation] = []
        var problems: [Problem] = []
        for (index, element) in list.elements.enumerated() {
            do throws(Problem) {
                operations.append(try operation(element, requireWritable))
            } catch {
                problems.append(error.inOperation(index))
            }
        }
        guard var first = problems.first else { return operations }
        first.errors = Array(problems.flatMap(\.errors).prefix(100))
        throw first
    }

    private func operation(
        _ value: JSONValue, _ requireWritable: (ServedEntity, Bool) throws(Problem) -> Void
    ) throws(Problem) -> Operation {
        for member in value.members where !BatchPlan.keys.contains(member.key) {
            throw Problem(
                .invalidBody, "An operation has op, entity, id, value and if_match.",
                errors: [FieldError(String(member.key.prefix(60)), "is not known")])
        }
        guard let kind = value["op"]?.string.flatMap(Kind.init) else {
            throw Problem(
                .invalidBody, "op must be create, update, put or delete.",
                errors: [FieldError("op", "is none of these")])
        }
        guard let path = value["entity"]?.string else {
            throw Problem(
                .invalidBody, "entity must be a string.",
                errors: [FieldError("entity", "is missing")])
        }
        let served = try pack.entity(path)
        try requireWritable(served, kind != .create)
        try served.requireOwnerType(owner)
        let id = try text(value, "id")
        if id == nil && kind != .create {
            throw Problem(
                .invalidBody, "id must be a string.", errors: [FieldError("id", "is missing")])
        }
        if let id, !served.canBeKey(id) {
            if kind == .update || kind == .delete { throw Problem(.notFound) }
            throw Problem(
                .invalidValue, "id is not a valid uuid.",
                errors: [FieldError("id", "is not a valid uuid")])
        }
        let tags = try text(value, "if_match").map { text in
            [text.hasPrefix("\"") && text.hasSuffix("\"") && text.count > 1
                ? String(text.dropFirst().dropLast()) : text]
        }
        let body = try body(kind, served, id: id, value["value"])
        return Operation(
            kind: kind, served: served, id: id, body: body,
            query: query(kind, served, id: id ?? "", body: body, tags: tags))
    }

    /// A member that is a string, if it is there.
    private func text(_ value: JSONValue, _ name: String) throws(Problem) -> String? {
        guard let member = value[name], !member.isNull else { return nil }
        if let text = member.string { return text }
        throw Problem(
            .invalidBody, "\(name) must be a string.",
            errors: [FieldError(name, "must be a string")])
    }

    /// The checked value as JSON; that of a create holds the operation's id as its key.
    private func body(
        _ kind: Kind, _ served: ServedEntity, id: String?, _ value: JSONValue?
    ) throws(Problem) -> [UInt8] {
        if kind == .delete { return [] }
        guard let value, value.kind == .object else {
            throw Problem(
                .invalidBody, "value must be an object.",
                errors: [FieldError("value", "must be an object")])
        }
        let purpose: BodyCheck.Purpose =
            switch kind {
            case .create, .delete: id.map { .createAs(key: $0) } ?? .create
            case .update: .patch(key: id ?? "")
            case .put: .replace(key: id ?? "")
            }
        _ = try BodyCheck(entity: served.entity, purpose: purpose, owner: owner, limits: limits)
            .check(value)
        guard kind == .create, let id else { return value.serialized() }
        var writer = JSONWriter()
        writer.beginObject()
        writer.key(served.entity.keyColumn)
        writer.string(id)
        for member in value.members where member.key != served.entity.keyColumn {
            writer.key(member.key)
            writer.raw(member.value.serialized())
        }
        writer.endObject()
        return writer.bytes
    }

    private func query(
        _ kind: Kind, _ served: ServedEntity, id: String, body: [UInt8], tags: [String]?
    ) -> PlannedQuery {
        let statements = served.statements
        switch kind {
        case .create:
            return statements.create(
                body: body, owner: owner, madeKey: statements.makesKey ? UUID7.make() : nil)
        case .update: return statements.patch(key: id, body: body, owner: owner, etags: tags)
        case .put: return statements.put(key: id, body: body, owner: owner, etags: tags)
        case .delete: return statements.delete(key: id, owner: owner, etags: tags)
        }
    }

    private static let keys: Set<String> = ["op", "entity", "id", "value", "if_match"]
}

extension Problem {
    /// The same problem, said of one operation of a batch.
    func inOperation(_ index: Int) -> Problem {
        var problem = self
        let place = "operations.\(index)"
        problem.errors =
            errors.isEmpty
            ? [FieldError(place, detail ?? code.title)]
            : errors.map { FieldError("\(place).\($0.field)", $0.message) }
        return problem
    }
}
