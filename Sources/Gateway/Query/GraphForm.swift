internal import JSON
internal import Projection

/// What a request says about the graph: depth, types, direction and limit.
struct GraphForm {
    private var depth = 1
    private var types: [String] = []
    private var direction = ConnectionsQuery.Direction.both
    private var limit: Int

    private static let typeCountMax = 50
    private static let typeByteCountMax = 100

    /// From the decoded pairs of a query string.
    init(_ pairs: some Sequence<(name: String, value: String)>) throws(Problem) {
        limit = 100
        var seen: Set<String> = []
        for (name, value) in pairs {
            guard seen.insert(name).inserted else {
                throw GraphForm.invalid(name, "is there twice")
            }
            switch name {
            case "token": continue
            case "depth": depth = try GraphForm.depth(name, Int(value))
            case "limit": limit = try GraphForm.limit(name, Int(value))
            case "types": types = try GraphForm.types(value.split(separator: ",").map(String.init))
            case "direction": direction = try GraphForm.direction(name, value)
            default: throw GraphForm.invalid(String(name.prefix(60)), "is not a parameter here")
            }
        }
    }

    /// From the member `expand` of a search.
    init(expand: JSONValue) throws(Problem) {
        limit = 50
        guard expand.kind == .object else { throw GraphForm.invalid("expand", "must be an object") }
        for (name, value) in expand.members {
            let place = "expand.\(name.prefix(60))"
            switch name {
            case "depth": depth = try GraphForm.depth(place, value.int.map(Int.init))
            case "limit": limit = try GraphForm.limit(place, value.int.map(Int.init))
            case "types":
                guard value.kind == .array, value.elements.allSatisfy({ $0.string != nil }) else {
                    throw GraphForm.invalid(place, "must be a list of strings")
                }
                types = try GraphForm.types(value.elements.compactMap(\.string))
            case "direction": direction = try GraphForm.direction(place, value.string ?? "")
            default: throw GraphForm.invalid(place, "is not known")
            }
        }
    }

    func query(keys: [String], owner: String?) -> ConnectionsQuery {
        ConnectionsQuery(
            keys: keys, owner: owner, depth: depth, types: types, direction: direction,
            limit: limit)
    }

    // MARK: Values

    private static func depth(_ name: String, _ number: Int?) throws(Problem) -> Int {
        try bounded(name, number, 1...ConnectionsQuery.depthMax)
    }

    private static func limit(_ name: String, _ number: Int?) throws(Problem) -> Int {
        try bounded(name, number, 1...ConnectionsQuery.nodeCountMax)
    }

    private static func direction(
        _ name: String, _ word: String
    ) throws(Problem) -> ConnectionsQuery.Direction {
        guard let direction = ConnectionsQuery.Direction(rawValue: word) else {
            throw invalid(name, "must be out, in or both")
        }
        return direction
    }

    private static func bounded(
        _ name: String, _ number: Int?, _ range: ClosedRange<Int>
    ) throws(Problem) -> Int {
        guard let number, range.contains(number) else {
            throw invalid(name, "must be \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    private static func types(_ names: [String]) throws(Problem) -> [String] {
        guard (1...typeCountMax).contains(names.count),
            names.allSatisfy({ !$0.isEmpty && $0.utf8.count <= typeByteCountMax })
        else {
            throw invalid("types", "must name 1 to \(typeCountMax) relationship types")
        }
        return names
    }

    private static func invalid(_ name: String, _ message: String) -> Problem {
        Problem(.invalidParameter, "\(name) \(message).", errors: [FieldError(name, message)])
    }
}
