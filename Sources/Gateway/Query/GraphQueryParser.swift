internal import JSON
internal import Projection

/// How much of the graph one request may ask for.
struct GraphLimits: Sendable {
    var depthMax = 5
    var nodeCountDefault = 100
    var nodeCountMax = 1_000
    var typeCountMax = 50
    var typeByteCountMax = 100
}

/// Reads depth, types, direction and limit of a graph query.
struct GraphQueryParser {
    let limits: GraphLimits

    /// From the decoded pairs of a query string.
    func parse(
        _ pairs: some Sequence<(name: String, value: String)>
    ) throws(Problem) -> GraphQuery {
        var query = GraphQuery(starts: [], owner: nil, limit: limits.nodeCountDefault)
        var seen: Set<String> = []
        for (name, value) in pairs {
            guard seen.insert(name).inserted else { throw invalid(name, "is there twice") }
            switch name {
            case "token": continue
            case "depth": query.depth = try bounded(name, Int(value), 1...limits.depthMax)
            case "limit": query.limit = try bounded(name, Int(value), 1...limits.nodeCountMax)
            case "types": query.types = try types(value.split(separator: ",").map(String.init))
            case "direction":
                guard let direction = GraphQuery.Direction(rawValue: value) else {
                    throw invalid(name, "must be out, in or both")
                }
                query.direction = direction
            default: throw invalid(String(name.prefix(60)), "is not a parameter here")
            }
        }
        return query
    }

    /// From the member `expand` of a search.
    func parse(expand: JSONValue) throws(Problem) -> GraphQuery {
        var query = GraphQuery(starts: [], owner: nil, limit: 50)
        guard expand.kind == .object else { throw invalid("expand", "must be an object") }
        for (name, value) in expand.members {
            let place = "expand.\(name.prefix(60))"
            switch name {
            case "depth":
                query.depth = try bounded(place, value.int.map(Int.init), 1...limits.depthMax)
            case "limit":
                query.limit = try bounded(place, value.int.map(Int.init), 1...limits.nodeCountMax)
            case "types":
                guard value.kind == .array, value.elements.allSatisfy({ $0.string != nil }) else {
                    throw invalid(place, "must be a list of strings")
                }
                query.types = try types(value.elements.compactMap(\.string))
            case "direction":
                guard let direction = value.string.flatMap(GraphQuery.Direction.init) else {
                    throw invalid(place, "must be out, in or both")
                }
                query.direction = direction
            default: throw invalid(place, "is not known")
            }
        }
        return query
    }

    private func bounded(
        _ name: String, _ number: Int?, _ range: ClosedRange<Int>
    ) throws(Problem) -> Int {
        guard let number, range.contains(number) else {
            throw invalid(name, "must be \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    private func types(_ names: [String]) throws(Problem) -> [String] {
        guard (1...limits.typeCountMax).contains(names.count),
            names.allSatisfy({ !$0.isEmpty && $0.utf8.count <= limits.typeByteCountMax })
        else { throw invalid("types", "must name 1 to \(limits.typeCountMax) relationship types") }
        return names
    }

    private func invalid(_ name: String, _ message: String) -> Problem {
        Problem(.invalidParameter, "\(name) \(message).", errors: [FieldError(name, message)])
    }
}
