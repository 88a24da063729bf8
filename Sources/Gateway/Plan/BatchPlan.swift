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
                .tooManyRows, "A batch holds 1 to \(limits.bodyRowCountMax) operations.")
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
                .invalidBody, "entity must be a string.", errors: [FieldError("entity", "is missing")])
        }
        let served = try pack.entity(path)
        try requireWritable(served, kind != .create)
        let id = value["id"]?.string
        if id == nil && kind != .create {
            throw Problem(
                .invalidBody, "id must be a string.", errors: [FieldError("id", "is missing")])
        }
        var tags: [String]?
        if let text = value["if_match"]?.string {
            tags = [text.hasPrefix("\"") && text.hasSuffix("\"") && text.count > 1
                ? String(text.dropFirst().dropLast()) : text]
        }
        return Operation(
            kind: kind, served: served, id: id,
            query: try query(kind, served, id: id, body: value["value"], tags: tags))
    }

    private func query(
        _ kind: Kind, _ served: ServedEntity, id: String?, body: JSONValue?, tags: [String]?
    ) throws(Problem) -> PlannedQuery {
        let id = id ?? ""
        if kind == .delete {
            return served.statements.delete(key: id, owner: owner, etags: tags)
        }
        guard let body, body.kind == .object else {
            throw Problem(
                .invalidBody, "value must be an object.", errors: [FieldError("value", "is missing")])
        }
        let purpose: BodyCheck.Purpose =
            switch kind {
            case .create, .delete: .create
            case .update: .patch(key: id)
            case .put: .replace(key: id)
            }
        _ = try BodyCheck(entity: served.entity, purpose: purpose, owner: owner, limits: limits)
            .check(body)
        let bytes = body.serialized()
        switch kind {
        case .create:
            let madeKey = id.isEmpty ? UUID7.make() : id
            return served.statements.create(
                body: bytes, owner: owner, madeKey: served.statements.makesKey ? madeKey : nil)
        case .update:
            return served.statements.patch(key: id, body: bytes, owner: owner, etags: tags)
        case .put:
            return served.statements.put(key: id, body: bytes, owner: owner, etags: tags)
        case .delete:
            return served.statements.delete(key: id, owner: owner, etags: tags)
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
