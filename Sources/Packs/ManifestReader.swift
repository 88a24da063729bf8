internal import JSON

/// Reads values of a JSON file strictly and collects everything that is wrong with it.
struct ManifestReader {
    let file: String
    var problems: [PackProblem] = []

    init(file: String) { self.file = file }

    mutating func complain(_ place: String, _ message: String, _ remedy: String) {
        problems.append(PackProblem(file: file, place: place, message, remedy: remedy))
    }

    /// The members of an object; complains about other kinds and about keys that nobody reads.
    mutating func object(
        _ value: JSONValue?, _ place: String, keys: [String]? = nil
    ) -> [(key: String, value: JSONValue)] {
        guard let value else { return [] }
        guard value.kind == .object else {
            complain(place, "it must be an object", "Write { … }.")
            return []
        }
        let members = Array(value.members)
        var seen: Set<String> = []
        for member in members {
            if !seen.insert(member.key).inserted {
                complain("\(place).\(member.key)", "the key is there twice", "Keep one.")
            }
            if let keys, !keys.contains(member.key) {
                complain(
                    "\(place).\(member.key)", "there is no such key",
                    "Use one of: \(keys.joined(separator: ", ")).")
            }
        }
        return members
    }

    mutating func string(_ value: JSONValue?, _ place: String) -> String? {
        guard let value else { return nil }
        guard let text = value.string, !text.isEmpty else {
            complain(place, "it must be a string that is not empty", "Write \"…\".")
            return nil
        }
        return text
    }

    /// A string that must be there.
    mutating func required(_ value: JSONValue?, _ place: String) -> String {
        if value == nil { complain(place, "it is missing", "Add it.") }
        return string(value, place) ?? ""
    }

    mutating func bool(_ value: JSONValue?, _ place: String) -> Bool {
        guard let value else { return false }
        guard let bool = value.bool else {
            complain(place, "it must be true or false", "Write true or false.")
            return false
        }
        return bool
    }

    mutating func strings(_ value: JSONValue?, _ place: String) -> [String] {
        guard let value else { return [] }
        guard value.kind == .array else {
            complain(place, "it must be a list of strings", "Write [\"…\"].")
            return []
        }
        return value.elements.enumerated().compactMap { index, element in
            string(element, "\(place)[\(index)]")
        }
    }
}
