internal import JSON
internal import Packs
internal import Projection

/// How much one search may ask for.
struct SearchLimits: Sendable {
    var hitCountDefault = 10
    var hitCountMax = 100
    var textByteCountMax = 8_192
    var vectorWidthMax = 8_192
    /// Hits asked of the store for each one wanted, where a filter thins them out afterwards.
    var overfetchFactor = 10
    /// Hits asked of the store at most.
    var candidateCountMax = 500
}

/// The body of `POST /v1/{pack}/search`, read and checked.
struct SearchQuery {
    var text: String?
    var classes: [VectorClass] = []
    var mode = VectorQuery.Mode.hybrid
    var alpha = 0.5
    var vector: [Float]?
    /// "More like this": the entity and key of a row.
    var like: (entityPath: String, key: String)?
    var filter: [(name: String, value: String)] = []
    var limit: Int
    var expand: GraphForm?
    /// The owner that the body names.
    var owner: String?

    private let limits: SearchLimits

    init(_ root: JSONValue, pack: Pack, limits: SearchLimits = SearchLimits()) throws(Problem) {
        self.limits = limits
        limit = limits.hitCountDefault
        guard root.kind == .object else {
            throw Problem(.invalidBody, "The body must be an object.")
        }
        classes = pack.vectors?.classes ?? []
        var givenMode: VectorQuery.Mode?
        for (name, value) in root.members {
            switch name {
            case "text": text = try readText(value)
            case "entities": classes = try readClasses(value, pack)
            case "mode":
                guard let mode = value.string.flatMap(VectorQuery.Mode.init) else {
                    throw SearchQuery.invalid(name, "must be hybrid, vector or keyword")
                }
                givenMode = mode
            case "alpha":
                guard let alpha = value.double, (0...1).contains(alpha) else {
                    throw SearchQuery.invalid(name, "must be a number from 0 to 1")
                }
                self.alpha = alpha
            case "vector":
                guard let floats = value.floats, (1...limits.vectorWidthMax).contains(floats.count)
                else { throw SearchQuery.invalid(name, "must be a list of finite numbers") }
                vector = floats
            case "like": like = try readLike(value, pack)
            case "filter": filter = try readFilter(value)
            case "limit":
                guard let limit = value.int, (1...limits.hitCountMax).contains(Int(limit)) else {
                    throw SearchQuery.invalid(name, "must be 1 to \(limits.hitCountMax)")
                }
                self.limit = Int(limit)
            case "expand":
                expand = try GraphForm(expand: value)
            case pack.ownerColumn:
                guard let owner = value.string, !owner.isEmpty else {
                    throw SearchQuery.invalid(name, "must be an owner's id")
                }
                self.owner = owner
            default: throw SearchQuery.invalid(String(name.prefix(60)), "is not known")
            }
        }
        try settle(givenMode)
    }

    /// Hits to ask the store for.
    var candidateCount: Int {
        filter.isEmpty
            ? min(limit + limit / 2 + 5, limits.candidateCountMax)
            : min(limit * limits.overfetchFactor, limits.candidateCountMax)
    }

    /// Decides the mode and checks that it has what it needs.
    private mutating func settle(_ given: VectorQuery.Mode?) throws(Problem) {
        let sources = [text != nil, like != nil].filter { $0 }.count
        guard sources == 1 || (sources == 0 && vector != nil) else {
            throw SearchQuery.invalid("text", "or like or vector must say what to search for")
        }
        mode = given ?? (text == nil ? .vector : .hybrid)
        if mode != .vector && text == nil {
            throw SearchQuery.invalid("text", "is needed for this mode")
        }
        if like != nil && vector != nil {
            throw SearchQuery.invalid("vector", "does not go with like")
        }
    }

    // MARK: Members

    private func readText(_ value: JSONValue) throws(Problem) -> String {
        guard let text = value.string, text.contains(where: { !$0.isWhitespace }),
            text.utf8.count <= limits.textByteCountMax
        else {
            throw SearchQuery.invalid(
                "text", "must be a text of 1 to \(limits.textByteCountMax) bytes")
        }
        return text
    }

    private func readClasses(_ value: JSONValue, _ pack: Pack) throws(Problem) -> [VectorClass] {
        let all = pack.vectors?.classes ?? []
        let known = all.map(\.entityPath)
        guard value.kind == .array, value.count > 0, value.count <= 100 else {
            throw SearchQuery.invalid("entities", "must be a list of names")
        }
        var wanted: Set<String> = []
        for element in value.elements {
            guard let path = element.string, known.contains(path) else {
                throw SearchQuery.invalid(
                    "entities", "may hold \(known.joined(separator: ", "))")
            }
            wanted.insert(path)
        }
        return all.filter { wanted.contains($0.entityPath) }
    }

    private func readLike(
        _ value: JSONValue, _ pack: Pack
    ) throws(Problem) -> (entityPath: String, key: String) {
        let known = (pack.vectors?.classes ?? []).map(\.entityPath)
        guard value.kind == .object, value.count == 2, let path = value["entity"]?.string,
            let key = value["id"]?.string
        else { throw SearchQuery.invalid("like", "must be {\"entity\": …, \"id\": …}") }
        guard known.contains(path) else {
            throw SearchQuery.invalid(
                "like.entity", "must be one of \(known.joined(separator: ", "))")
        }
        return (path, key)
    }

    private func readFilter(_ value: JSONValue) throws(Problem) -> [(name: String, value: String)] {
        guard value.kind == .object else {
            throw SearchQuery.invalid("filter", "must be an object such as {\"column\": \"eq.x\"}")
        }
        var pairs: [(name: String, value: String)] = []
        for (name, condition) in value.members {
            guard let text = condition.string else {
                throw SearchQuery.invalid(
                    "filter.\(name.prefix(60))", "must be a string such as eq.x")
            }
            pairs.append((name, text))
        }
        return pairs
    }

    static func invalid(_ field: String, _ message: String) -> Problem {
        Problem(.invalidBody, "\(field) \(message).", errors: [FieldError(field, message)])
    }
}
